/** Shapes on the wire (PROTOCOL §3, §7, §9). Byte strings are lower-case hex, times Unix ms. */

/** What a commit or event says; integers only, see PROTOCOL §1. */
export type Content = unknown;
export type Tags = readonly (readonly string[])[];
export type Alg = 'schnorr' | 'ecdsa';

export interface Commit {
  readonly hash: string;
  readonly enclave: string;
  readonly from: string;
  readonly type: string;
  readonly content: Content;
  readonly exp: number;
  readonly tags?: Tags;
  readonly alg?: Alg;
  readonly sig: string;
}

export interface Receipt {
  readonly type: 'Receipt';
  readonly id: string;
  readonly hash: string;
  readonly enclave: string;
  readonly seq: number;
  readonly timestamp: number;
  readonly sequencer: string;
  readonly seq_sig: string;
}

export interface EncEvent extends Commit {
  /** Of erased content (`content` is null): the hash that stands for it. */
  readonly content_hash?: string;
  readonly timestamp: number;
  readonly sequencer: string;
  readonly seq: number;
  readonly seq_sig: string;
  readonly id: string;
  readonly status?: 'updated' | 'deleted';
}

export interface Range {
  readonly start_at?: number;
  readonly start_after?: number;
  readonly end_at?: number;
  readonly end_before?: number;
}

export interface Filter {
  readonly id?: string | readonly string[];
  readonly seq?: number | readonly number[] | Range;
  readonly type?: string | readonly string[];
  readonly from?: string | readonly string[];
  readonly timestamp?: number | readonly number[] | Range;
  readonly tags?: Readonly<Record<string, string | readonly string[] | true>>;
  readonly lane?: number;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface Info {
  readonly type: 'Info';
  readonly enclave: string;
  readonly sequencer: string;
  readonly head: number;
  readonly timestamp: number;
  readonly status: 'active' | 'paused' | 'terminated' | 'migrated';
  readonly bundle: { readonly size: number; readonly timeout: number };
  readonly lanes: number;
  readonly manifest: string;
}

export interface Inclusion {
  /** Tree size the proof is for. */
  readonly ts: number;
  /** Leaf index: number of the bundle. */
  readonly li: number;
  /** RFC 9162 path, leaf to root. */
  readonly p: readonly string[];
  readonly events_root: string;
  readonly state_hash: string;
  readonly first_seq: number;
  readonly bundle_size: number;
}

export interface BundleProof {
  readonly event_id: string;
  /** Place of the event in its bundle. */
  readonly bundle_index: number;
  readonly bundle_size: number;
  readonly siblings: readonly string[];
  /** Number of the bundle. */
  readonly leaf_index: number;
}

export interface StateProof {
  readonly k: string;
  readonly v: string | null;
  readonly s: readonly string[];
  readonly o: { readonly k: string; readonly v: string } | null;
}
