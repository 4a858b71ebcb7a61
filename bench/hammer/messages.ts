import type { Finding, FindingCounts } from './findings.ts';
import type { Settings } from './settings.ts';
import type { SecondPart } from './tally.ts';

/** What one thread of the hammer does: a share of the settings. */
export interface Job extends Settings {
  /** number of the thread */
  readonly crew: number;
}

export type ToCrew =
  /** begin to offer at that time, Unix ms */
  | { readonly kind: 'go'; readonly at: number }
  /** offer nothing more, find out what became of everything, judge */
  | { readonly kind: 'stop' };

export type Phase = 'load' | 'outcomes' | 'reading' | 'done';

export type FromCrew =
  | { readonly kind: 'ready'; readonly crypto: string }
  | { readonly kind: 'second'; readonly part: SecondPart }
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'phase'; readonly phase: Phase }
  /** events read back so far */
  | { readonly kind: 'read'; readonly events: number }
  | { readonly kind: 'done'; readonly result: CrewResult };

export interface CrewResult {
  readonly acknowledged: number;
  readonly undecided: number;
  readonly counts: FindingCounts;
  readonly readBack: {
    readonly enclaves: number;
    readonly events: number;
    readonly bundles: number;
    readonly states: number;
    readonly heads: number;
  };
  /** the load ended before its time, because so many events were acknowledged */
  readonly full: boolean;
}
