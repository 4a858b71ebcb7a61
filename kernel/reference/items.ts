import type { InspectedCommit } from '../../protocol/records.ts';

/**
 * What a batch is made of between stage and seal: everything but what needs the sequencer's signatures (ids, roots
 * over ids, tree heads). In the order of their effects.
 */
export interface EventItem {
  readonly kind: 'event';
  readonly commit: InspectedCommit;
  /** of an erased Update: what its content named */
  readonly target?: Uint8Array;
  readonly seq: number;
  readonly timestamp: number;
  readonly sequencer: Uint8Array;
  /** what the sequencer signs */
  readonly eventHash: Uint8Array;
}

/** The tree head at ts 0, made with the Manifest. */
export interface GenesisItem {
  readonly kind: 'genesis';
  readonly t: number;
  readonly sequencer: Uint8Array;
}

export interface ClosingItem {
  readonly kind: 'closing';
  readonly firstSeq: number;
  readonly size: number;
  readonly t: number;
  readonly stateHash: Uint8Array;
  readonly sequencer: Uint8Array;
}

export type Item = EventItem | GenesisItem | ClosingItem;
