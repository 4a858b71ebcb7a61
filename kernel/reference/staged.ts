import { equalBytes } from '../../protocol/bytes.ts';
import { eventHash } from '../../protocol/hash.ts';
import { toHex } from '../../protocol/hex.ts';
import type { InspectedCommit } from '../../protocol/records.ts';
import type { TargetEvent } from '../../protocol/rules-target.ts';
import { type Smt, smtRoot } from '../../protocol/smt.ts';
import type { EnclaveParams, KernelHost } from '../kernel.ts';
import type { Base } from './base.ts';
import type { ClosingItem, Item } from './items.ts';
import { Recents } from './recents.ts';
import type { State } from './state.ts';
import { eventMeta } from './visible.ts';

/** Events after which nothing more comes into their bundle. */
const LAST: ReadonlySet<string> = new Set(['Terminate', 'Migrate']);
const EMPTY = new Uint8Array(0);

export interface OpenBundle {
  readonly firstSeq: number;
  readonly firstTimestamp: number;
  readonly size: number;
  /** it holds all it may: only its closing can come next */
  readonly complete: boolean;
}

/** The enclave as staged: what the next event is judged by, before the last ones have their signatures. */
export class Staged {
  readonly params: EnclaveParams;
  /** null before the Manifest */
  state: State | null = null;
  manifestContent: Uint8Array = EMPTY;
  seq = -1;
  /** of the last event, −1 before the Manifest */
  timestamp = -1;
  open: OpenBundle | null = null;
  closings = 0;
  closed: { readonly tree: Smt; readonly index: number } | null = null;
  readonly recents = new Recents();

  constructor(params: EnclaveParams, base: Base | null = null) {
    this.params = params;
    if (base === null) return;
    this.state = base.state;
    this.manifestContent = base.manifestContent;
    this.seq = base.log.seq;
    this.timestamp = base.log.timestamp;
    this.closings = base.log.ct.size;
    this.closed = { tree: base.state.tree, index: this.closings - 1 };
  }

  /** Does the next event belong to the key that signs here? */
  get sequences(): boolean {
    const key = this.params.sequencer;
    if (key === undefined) return false;
    return this.state === null || equalBytes(key, this.state.sequencer) || this.takesOver(key);
  }

  /** Is this the key that Migrate has named? */
  takesOver(key: Uint8Array): boolean {
    const named = this.state?.status === 'migrated' ? this.state.newSequencer : null;
    return named !== null && equalBytes(named, key);
  }

  /** When the open bundle is due, 0 when there is none. */
  get dueAt(): number {
    return this.open === null || this.state === null ? 0 : this.open.firstTimestamp + this.state.manifest.timeout;
  }

  /** The event becomes part of the state. `target`: of an erased Update. */
  accept(commit: InspectedCommit, state: State, timestamp: number, target?: Uint8Array): Item[] {
    const { sequencer } = state;
    const seq = this.seq + 1;
    const hash = eventHash(commit.hash, commit.sig, sequencer, seq, timestamp);
    const extra = target === undefined ? {} : { target };
    const items: Item[] = [{ kind: 'event', commit, seq, timestamp, sequencer, eventHash: hash, ...extra }];
    if (seq === 0) {
      items.push({ kind: 'genesis', t: timestamp, sequencer });
      this.manifestContent = commit.content;
    }
    this.state = state;
    this.seq = seq;
    this.timestamp = timestamp;
    this.recents.add(commit.hash, commit.exp, seq);
    const { firstSeq, firstTimestamp, size } = this.open ?? { firstSeq: seq, firstTimestamp: timestamp, size: 0 };
    const complete = size + 1 === state.manifest.size || LAST.has(commit.type);
    this.open = { firstSeq, firstTimestamp, size: size + 1, complete };
    return items;
  }

  /** Closes the open bundle at time t; throws if there is none. */
  close(t: number): ClosingItem {
    if (this.open === null || this.state === null) throw new Error('no open bundle');
    const { firstSeq, size } = this.open;
    const { tree, sequencer } = this.state;
    this.closed = { tree, index: this.closings };
    this.closings++;
    this.open = null;
    return { kind: 'closing', firstSeq, size, t, stateHash: smtRoot(tree), sequencer };
  }
}

/** A released event by id, as the rules about targets ask for it. */
export function releasedTarget(host: KernelHost, id: Uint8Array): TargetEvent | null {
  const meta = eventMeta(host, id);
  return meta === null ? null : { type: meta.type, from: toHex(meta.from) };
}
