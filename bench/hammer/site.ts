import type { Enclave } from '../../client/enclave.ts';
import type { TreeHead } from '../../client/heads.ts';
import type { Commit, Receipt } from '../../client/types.ts';
import type { Random } from '../../test/faults/random.ts';
import { Drafts } from './drafts.ts';
import { Ledger } from './ledger.ts';
import type { People } from './people.ts';

/** A commit that was acknowledged a short while ago. */
export interface Recent {
  readonly commit: Commit;
  readonly receipt: Receipt;
}

const RECENT = 16;
const HEADS = 32;

/** One enclave under the hammer, and all that is remembered of it. Writers and readers know nothing of each other's SDK. */
export class Site {
  readonly writer: Enclave;
  readonly reader: Enclave;
  readonly sequencer: string;
  readonly ledger = new Ledger();
  readonly drafts: Drafts;
  /** Hashes of commits that were sent and whose outcome is not known, the undecided ones among them. */
  readonly open = new Set<string>();
  /** Commits whose outcome could not be learned in time, by hash. */
  readonly undecided = new Map<string, Commit>();
  /** Hashes of commits whose receipts did not check: not asked for again. Each is a finding already. */
  readonly disputed = new Set<string>();
  /** commits sent so far, the Manifest among them: no seq can be as high */
  sent = 1;
  readonly recent: Recent[] = [];
  /** tree heads of all times, evenly thinned out */
  readonly heads: TreeHead[] = [];
  readonly #random: Random;
  #headsMet = 0;

  constructor(writer: Enclave, reader: Enclave, sequencer: string, people: People, random: Random) {
    this.writer = writer;
    this.reader = reader;
    this.sequencer = sequencer;
    this.#random = random;
    this.drafts = new Drafts(people.authors, random);
  }

  get id(): string {
    return this.writer.id;
  }

  remember(commit: Commit, receipt: Receipt): void {
    const at = this.recent.length < RECENT ? this.recent.length : this.#random.int(0, RECENT - 1);
    this.recent[at] = { commit, receipt };
  }

  /** Keeps a sample of fixed size in which every head met so far is equally likely. */
  meet(head: TreeHead): void {
    if (this.heads.some((one) => one.ts === head.ts)) return;
    const at = this.#headsMet < HEADS ? this.#headsMet : this.#random.int(0, this.#headsMet);
    this.#headsMet++;
    if (at < HEADS) this.heads[at] = head;
  }
}
