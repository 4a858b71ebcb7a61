import type { Options, Scenario, Threshold } from 'k6/options';
import type { Load } from './profile.ts';
import { TREND_STATS } from './summary.ts';
import type { Share } from './supply.ts';

/** An SLO of three nines, after a client's own retries. */
export const GOOD = 'rate>0.999';
/** A VU for each call under way: there are enough for answers that take so many s, and more are made up to so many. */
const [USUAL_S, LONGEST_S] = [0.25, 2];
const MAX_VUS = 2000;

/** Parts of a long load that are looked at alone. */
export const PARTS = ['first', 'last'] as const;

/** What k6 is told, and which commits go where. */
export interface Plan {
  readonly options: Options;
  /** by scenario; `warm_up` among them */
  readonly shares: Readonly<Record<string, Share>>;
  /** scenarios that commit and count */
  readonly measured: readonly string[];
  /** commits that a file must have */
  readonly commits: number;
}

/** Names of the metrics of one scenario, as thresholds and summaries have them. */
export const metricsOf = (scenario: string): Record<'ms' | 'count' | 'dropped' | (typeof PARTS)[number], string> => ({
  ms: `enc_commit_ms{scenario:${scenario}}`,
  count: `enc_commits{scenario:${scenario}}`,
  dropped: `dropped_iterations{scenario:${scenario}}`,
  first: `enc_commit_ms{scenario:${scenario},part:first}`,
  last: `enc_commit_ms{scenario:${scenario},part:last}`,
});
export const READ_MS = 'enc_read_ms{scenario:reads}';

export const p99Of = ({ p99Ms }: Load): string => `p(99)<${p99Ms}`;

export function planOf(load: Load): Plan {
  const { rate, batches, batch, reads, warmUp, duration } = load;
  const scenarios: Record<string, Scenario> = {};
  const shares: Record<string, Share> = {};
  const thresholds: Record<string, Threshold[]> = {
    enc_acknowledged: [{ threshold: GOOD, abortOnFail: true, delayAbortEval: '30s' }],
  };
  let commits = 0;
  const share = (name: string, perSecond: number, seconds: number, perPost: number): void => {
    shares[name] = { from: commits, perPost };
    // One more than are due: k6 may begin one at the very end.
    commits += (Math.ceil(perSecond * seconds) + 1) * perPost;
  };

  scenarios['warm_up'] = arrivals('commits', rate || batches, { from: 0, seconds: warmUp });
  share('warm_up', rate || batches, warmUp, rate > 0 ? 1 : batch);
  const measured: string[] = [];
  for (const [name, perSecond, perPost] of [['single', rate, 1] as const, ['batch', batches, batch] as const]) {
    if (perSecond === 0) continue;
    measured.push(name);
    scenarios[name] = arrivals('commits', perSecond, { from: warmUp, seconds: duration });
    share(name, perSecond, duration, perPost);
    const metrics = metricsOf(name);
    thresholds[metrics.ms] = [p99Of(load)];
    thresholds[metrics.count] = ['count>0'];
    thresholds[metrics.dropped] = [atMost(perSecond * duration * load.leftOut)];
    if (load.long) for (const part of PARTS) thresholds[metrics[part]] = [p99Of(load)];
  }
  if (reads > 0) {
    scenarios['reads'] = arrivals('reads', reads, { from: warmUp, seconds: duration });
    thresholds['enc_read_well'] = [GOOD];
    thresholds[READ_MS] = [p99Of(load)];
    thresholds[metricsOf('reads').dropped] = [atMost(reads * duration * load.leftOut)];
  }
  return { options: { scenarios, thresholds, summaryTrendStats: TREND_STATS }, shares, measured, commits };
}

/** Open loop: calls go out when they are due, whether or not earlier ones have been answered. */
function arrivals(exec: string, perSecond: number, at: { from: number; seconds: number }): Scenario {
  return {
    executor: 'constant-arrival-rate',
    exec,
    // k6 takes whole numbers only.
    rate: Math.round(perSecond * 60),
    timeUnit: '1m',
    startTime: `${at.from}s`,
    duration: `${at.seconds}s`,
    preAllocatedVUs: Math.min(MAX_VUS, Math.ceil(perSecond * USUAL_S) + 4),
    maxVUs: Math.min(MAX_VUS, Math.ceil(perSecond * LONGEST_S) + 8),
  };
}

const atMost = (count: number): string => `count<=${Math.ceil(count)}`;
