import type { Coverage } from './coverage.ts';
import type { Inspectors, Runtimes } from './pair.ts';
import type { Random } from './random.ts';
import type { Identity } from './ring.ts';

/** What all lives of one run share. */
export interface World {
  readonly runtimes: Runtimes;
  readonly random: Random;
  readonly coverage: Coverage;
  readonly inspectors: Inspectors;
  /** the same with small limits, so that `too_large` is cheap to reach */
  readonly narrow: Inspectors;
  readonly people: readonly Identity[];
  /** commits for which `Model` expected another answer than the kernels gave */
  readonly surprises: string[];
}
