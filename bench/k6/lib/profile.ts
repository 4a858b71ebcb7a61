import { number, seconds } from './env.ts';

/** What a script does unless `-e` says otherwise. Rates are per second. */
export interface Profile {
  readonly name: string;
  /** in words, for the report */
  readonly what: string;
  /** into one enclave instead of many */
  readonly hot: boolean;
  /** commits, one per POST */
  readonly rate: number;
  /** POSTs of `batch` commits each */
  readonly batches: number;
  readonly batch: number;
  /** calls that read */
  readonly reads: number;
  /** such as 60s or 2h */
  readonly duration: string;
  /** 99 of 100 commits have their receipt, and reads their answer, within so many ms */
  readonly p99Ms: number;
  /** also looks at the first and the last tenth of the time alone: has it become slower? */
  readonly long: boolean;
}

/** Load before it counts: connections are made and code is compiled, here and there. */
const WARM_UP = '5s';
/** Of 1,000 calls that were due one may be left out because all VUs were busy; more, and it was not this rate. */
const LEFT_OUT = 0.001;

/** A profile with what `-e` says. */
export interface Load extends Omit<Profile, 'duration'> {
  /** s */
  readonly duration: number;
  readonly warmUp: number;
  /** share of the calls that may be left out */
  readonly leftOut: number;
}

export function loadOf(profile: Profile): Load {
  const load = {
    ...profile,
    duration: seconds('DURATION', profile.duration),
    warmUp: seconds('WARM_UP', WARM_UP),
    rate: number('RATE', profile.rate),
    batches: number('BATCHES', profile.batches),
    batch: number('BATCH', profile.batch, 1),
    reads: number('READS', profile.reads),
    p99Ms: number('P99_MS', profile.p99Ms, 1),
    leftOut: number('LEFT_OUT', LEFT_OUT),
  };
  if (load.rate === 0 && load.batches === 0) throw new Error('RATE and BATCHES are both 0: there is nothing to commit');
  return load;
}
