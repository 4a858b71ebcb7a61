/** A signed tree head, PROTOCOL §7: `ts` closed bundles, root `r`, closed at `t` (Unix ms). */
export interface TreeHead {
  readonly enclave: string;
  readonly t: number;
  readonly ts: number;
  readonly r: string;
  readonly sequencer: string;
  readonly sig: string;
}

/** `sequencer` signs the enclave from event `since` on, until the next term begins. Terms change through Migrate only. */
export interface Term {
  readonly sequencer: string;
  readonly since: number;
}

/** What a client keeps of one enclave, so that the node can't tell another story later. */
export interface Remembered {
  readonly terms: readonly Term[];
  /** Where the first term comes from: the Manifest names it, the caller did, or it is merely the first one seen. */
  readonly source: 'manifest' | 'caller' | 'first-seen';
  /** The newest tree head that was checked. */
  readonly sth?: TreeHead;
  /** The highest event seen, with its time. */
  readonly head?: { readonly seq: number; readonly id: string; readonly timestamp: number };
}

/**
 * Where tree heads survive. A client that remembers none still checks every answer, but a node could show it two
 * histories at two times; with a store it can't.
 */
export interface TreeHeadStore {
  get(enclave: string): Promise<Remembered | undefined>;
  put(enclave: string, remembered: Remembered): Promise<void>;
}

/** Forgets with the process. */
export class MemoryHeads implements TreeHeadStore {
  private readonly kept = new Map<string, Remembered>();

  async get(enclave: string): Promise<Remembered | undefined> {
    return this.kept.get(enclave);
  }

  async put(enclave: string, remembered: Remembered): Promise<void> {
    this.kept.set(enclave, remembered);
  }
}
