import { NeverAccepted, NodeLied, OutcomeUnknown, Refused } from '../../client/errors.ts';
import { isPassing } from '../../client/retry.ts';
import type { Random } from '../../test/faults/random.ts';
import { OWN_KEY, sharedKey } from './drafts.ts';
import type { Findings } from './findings.ts';
import type { People } from './people.ts';
import { STALE_MS } from './settings.ts';
import type { Recent, Site } from './site.ts';
import { READS, type Read, type Tally } from './tally.ts';

export interface ReaderModules {
  readonly tally: Tally;
  readonly findings: Findings;
  readonly random: Random;
  readonly people: People;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Refusals that say that the node is in trouble, not that it errs: the end of the run shows what became of it. */
const EXPECTED = new Set(['bundle_open', 'enclave_regressed', 'internal']);

const PAGE = 50;

/** One read: false if there was nothing to read yet. */
type Reading = (site: Site) => Promise<boolean>;

/**
 * Reads at random while others write. Every answer is checked by the SDK (up to a signed tree head that continues all
 * those before), and held against what the ledger knows.
 */
export class Reader {
  readonly #m: ReaderModules;
  readonly #readings: Readonly<Record<Read, Reading>> = {
    head: (site) => this.#head(site),
    proof: (site) => this.#proof(site),
    page: (site) => this.#page(site),
    query: (site) => this.#query(site),
    state: (site) => this.#state(site),
    receipt: (site) => this.#recent(site, ({ commit }) => site.reader.receipt(commit)),
    again: (site) => this.#recent(site, ({ commit }) => site.reader.submit(commit)),
  };

  constructor(modules: ReaderModules) {
    this.#m = modules;
  }

  /** One read of any kind. Never rejects for the node's sake. */
  async read(site: Site): Promise<void> {
    const kind = this.#m.random.pick(READS);
    if (!(await this.#try(site, kind))) return;
    // Whoever has just lost the enclave to another shard may refuse what it has not heard of.
    await this.#m.sleep(STALE_MS);
    const error = await this.#try(site, kind);
    if (!error) return;
    const lost = error.code === 'event_not_found';
    const what = lost ? 'does not find an acknowledged event' : `was refused: ${error.code}`;
    this.#m.findings.add(lost ? 'proof' : 'refused', site.id, `a read (${kind}) ${what}`, error.fields);
  }

  /** The refusal, if that is an unexpected one. */
  async #try(site: Site, kind: Read): Promise<Refused | null> {
    const { tally, findings } = this.#m;
    try {
      if (await this.#readings[kind](site)) tally.read(kind);
    } catch (error) {
      if (error instanceof NodeLied) findings.add('proof', site.id, `${error.call}: ${error.what}`, error.evidence);
      else if (error instanceof NeverAccepted)
        findings.add(
          'proof',
          site.id,
          `commit ${error.hash} was acknowledged, and is now said never to have been accepted`,
        );
      else if (error instanceof Refused && !isPassing(error)) {
        // A bundle that is still open has no proof yet.
        if (error.code !== 'bundle_open') tally.readError(error.code);
        return EXPECTED.has(error.code) ? null : error;
      } else if (!isPassing(error) && !(error instanceof OutcomeUnknown)) throw error;
    }
    return null;
  }

  async #head(site: Site): Promise<boolean> {
    site.meet(await site.reader.sth());
    return true;
  }

  async #proof(site: Site): Promise<boolean> {
    const { random } = this.#m;
    const last = site.ledger.length - 1;
    // Of the newest events many have no proof yet.
    const seq = random.int(0, random.chance(0.5) ? last : Math.floor(last / 4));
    const proved = await site.reader.prove({ seq });
    this.#hold(site, seq, proved.id, 'in a proof');
    return true;
  }

  async #page(site: Site): Promise<boolean> {
    const afterSeq = this.#m.random.int(-1, site.ledger.length - 1);
    let left = PAGE;
    for await (const { seq, id } of site.reader.pull({ afterSeq, pageSize: PAGE, complete: true })) {
      this.#hold(site, seq, id, 'in a pull');
      if (--left === 0) break;
    }
    return true;
  }

  async #query(site: Site): Promise<boolean> {
    const by = this.#m.random.pick(this.#m.people.authors);
    for (const { seq, id } of await site.reader.query({ from: by.id, limit: PAGE / 2, reverse: true }))
      this.#hold(site, seq, id, 'in a query');
    return true;
  }

  async #state(site: Site): Promise<boolean> {
    const { random, people } = this.#m;
    const { id } = random.pick(people.authors);
    const key = random.pick([{ member: id }, { own: OWN_KEY, from: id }, { shared: sharedKey(random.int(0, 99)) }]);
    const { value } = await site.reader.state(key);
    if ('member' in key && value === null)
      this.#m.findings.add('proof', site.id, `the state tree does not know the member ${id} any more`);
    return true;
  }

  /** A commit asked for again, or sent again: its receipt must be the one that was given before (PROTOCOL §3). */
  async #recent(site: Site, ask: (recent: Recent) => Promise<{ id: string; seq: number }>): Promise<boolean> {
    if (site.recent.length === 0) return false;
    const recent = this.#m.random.pick(site.recent);
    if (recent.commit.exp < Date.now() + 20_000) return false;
    const { commit, receipt } = recent;
    const again = await ask(recent);
    if (again.seq !== receipt.seq)
      this.#m.findings.add(
        'duplicate',
        site.id,
        `commit ${commit.hash} was accepted twice, as events ${receipt.seq} and ${again.seq}`,
        again,
      );
    else if (again.id !== receipt.id)
      this.#m.findings.add(
        'proof',
        site.id,
        `commit ${commit.hash} got two receipts for seq ${receipt.seq}: ${receipt.id} and ${again.id}`,
        again,
      );
    return true;
  }

  #hold(site: Site, seq: number, id: string, where: string): void {
    if (seq >= site.sent)
      return this.#m.findings.add(
        'proof',
        site.id,
        `event ${seq} was shown, but only ${site.sent} commits were ever sent`,
      );
    const other = site.ledger.show(seq, id);
    if (other !== null)
      this.#m.findings.add(
        'proof',
        site.id,
        `two events under seq ${seq}: ${other} and, ${where}, ${id} (equivocation)`,
      );
  }
}
