import type { NodeInfo } from '../../client/client.ts';
import type { Finding, FindingCounts, FindingKind } from './findings.ts';
import type { Mark } from './marks.ts';
import type { CrewResult } from './messages.ts';
import { addAll, type Latency, latencyOf, type Second, type Series } from './series.ts';
import type { Goals, Settings } from './settings.ts';
import type { Gap } from './timeline.ts';

/** What happened around a mark: from its beginning until the next one, or so long after its end. */
export interface Marked extends Mark {
  /** longest time without any acknowledgement, ms */
  readonly gap_ms: number;
  /** slowest commit that was acknowledged then, from its intended send time, ms */
  readonly slowest_ms: number;
  /** attempts that failed */
  readonly errors: number;
}

export interface Verdict {
  readonly ok: boolean;
  /** why not, one sentence each */
  readonly reasons: readonly string[];
  readonly acknowledged: number;
  /** answers that do not check or contradict each other, duplicates among them */
  readonly failed_proofs: number;
  readonly lost: number;
}

/** What `--json` writes. */
export interface Report {
  readonly version: 1;
  /** ISO 8601 */
  readonly started: string;
  readonly ended: string;
  readonly node: NodeInfo;
  readonly settings: Settings;
  readonly goals: Goals;
  readonly crypto: string;
  readonly verdict: Verdict;
  readonly totals: {
    readonly offered: number;
    readonly shed: number;
    readonly acknowledged: number;
    readonly expired: number;
    readonly undecided: number;
    readonly errors: Readonly<Record<string, number>>;
    readonly reads: Readonly<Record<string, number>>;
    readonly read_errors: Readonly<Record<string, number>>;
    readonly findings: FindingCounts;
    readonly read_back: CrewResult['readBack'];
  };
  /** the load ended early, because as many events were acknowledged as may be remembered */
  readonly full: boolean;
  /** seconds during which commits were offered */
  readonly load_seconds: number;
  /** acknowledged per second of the load */
  readonly rate: number;
  readonly latency: Latency;
  /** `at`: ms since the load began */
  readonly longest_gap: Gap;
  readonly marks: readonly Marked[];
  /** CPU of the hammer itself until all outcomes were known, µs per acknowledged commit, reads included */
  readonly cpu_us_per_commit: number;
  readonly findings: readonly Finding[];
  readonly seconds: readonly Second[];
}

export interface Gathered {
  readonly start: number;
  readonly end: number;
  readonly loadSeconds: number;
  readonly node: NodeInfo;
  readonly settings: Settings;
  readonly goals: Goals;
  readonly crypto: string;
  readonly series: Series;
  readonly marks: readonly Mark[];
  readonly findings: readonly Finding[];
  readonly results: readonly CrewResult[];
  readonly cpuSeconds: number;
}

/** A mark without an end is looked at for so long, ms. */
const MARKED_MS = 15_000;
/** Without a goal for the rate: this share of what was asked for. Less means that the node, or the hammer, is too slow for the run to say much. */
const LEAST_SHARE = 0.9;

export function makeReport(run: Gathered): Report {
  const { series, settings, goals, results } = run;
  const { seconds } = series;
  const sum = (of: (second: Second) => number): number => seconds.reduce((total, second) => total + of(second), 0);
  const merged = (of: (second: Second) => Readonly<Record<string, number>>): Record<string, number> => {
    const all: Record<string, number> = {};
    for (const second of seconds) addAll(all, of(second));
    return all;
  };
  const findings = total(results.map(({ counts }) => counts)) as FindingCounts;
  const duringLoad = seconds
    .filter(({ second }) => second < run.loadSeconds)
    .reduce((n, second) => n + second.acknowledged, 0);
  const acknowledged = results.reduce((n, result) => n + result.acknowledged, 0);
  const partial = {
    rate: duringLoad / Math.max(run.loadSeconds, 0.001),
    latency: latencyOf(series.latency),
    longest_gap: series.timeline.longestGap(0, run.loadSeconds * 1000),
  };
  const totals = {
    offered: sum((second) => second.offered),
    shed: sum((second) => second.shed),
    acknowledged,
    expired: sum((second) => second.expired),
    undecided: results.reduce((n, { undecided }) => n + undecided, 0),
    errors: merged(({ errors }) => errors),
    reads: merged(({ reads }) => reads),
    read_errors: merged(({ read_errors }) => read_errors),
    findings,
    read_back: total(results.map(({ readBack }) => readBack)) as CrewResult['readBack'],
  };
  const reasons = [...faults(findings, totals.read_back.enclaves, settings), ...missed(partial, settings, goals)];
  return {
    version: 1,
    started: new Date(run.start).toISOString(),
    ended: new Date(run.end).toISOString(),
    node: run.node,
    settings,
    goals,
    crypto: run.crypto,
    verdict: {
      ok: reasons.length === 0,
      reasons,
      acknowledged,
      failed_proofs: findings.proof + findings.duplicate,
      lost: findings.lost,
    },
    totals,
    full: results.some(({ full }) => full),
    load_seconds: run.loadSeconds,
    ...partial,
    marks: marked(run),
    cpu_us_per_commit: Math.round((run.cpuSeconds * 1e6) / Math.max(1, acknowledged)),
    findings: run.findings,
    seconds,
  };
}

const FAULTS: Readonly<Record<FindingKind, string>> = {
  proof: 'answers did not check or contradicted each other',
  duplicate: 'commits became two events',
  lost: 'acknowledged events were lost',
  refused: 'requests were refused that the rules allow',
  undecided: 'commits have an unknown outcome',
  unread: 'enclaves could not be read back',
};

function faults(counts: FindingCounts, readBack: number, settings: Settings): string[] {
  const found = Object.entries(FAULTS).flatMap(([kind, what]) => {
    const count = counts[kind as FindingKind];
    return count > 0 ? [`${count} ${what}`] : [];
  });
  // Whatever went wrong, nothing passes that was not looked at.
  if (found.length === 0 && readBack !== settings.enclaves)
    found.push(`${readBack} of ${settings.enclaves} enclaves were read back`);
  return found;
}

function missed(
  { rate, latency, longest_gap }: Pick<Report, 'rate' | 'latency' | 'longest_gap'>,
  settings: Settings,
  goals: Goals,
): string[] {
  const found: string[] = [];
  const least = goals.rate ?? LEAST_SHARE * settings.rate;
  if (rate < least) found.push(`${rate.toFixed(1)} acknowledged per second, ${least.toFixed(1)} is the goal`);
  const most = (name: string, value: number, goal: number | null): void => {
    if (goal !== null && value > goal) found.push(`${name} ${Math.round(value)} ms, ${goal} ms is the goal`);
  };
  most('99 % of latencies are up to', latency.p99_ms, goals.p99);
  most('the slowest commit took', latency.max_ms, goals.wait);
  most('the longest time without success was', longest_gap.ms, goals.gap);
  return found;
}

function marked({ marks, start, series, loadSeconds }: Gathered): Marked[] {
  return marks.map((mark, i) => {
    const from = mark.at - start;
    const next = marks[i + 1]?.at ?? Number.POSITIVE_INFINITY;
    const to = Math.min((mark.until ?? mark.at) + MARKED_MS, Math.max(next, mark.until ?? 0)) - start;
    const seconds = series.seconds.filter(({ second }) => second >= Math.floor(from / 1000) && second * 1000 < to);
    return {
      ...mark,
      gap_ms: series.timeline.longestGap(from, Math.min(to, loadSeconds * 1000)).ms,
      slowest_ms: Math.max(0, ...seconds.map(({ max_ms }) => max_ms)),
      errors: seconds.reduce((n, { errors }) => n + Object.values(errors).reduce((a, b) => a + b, 0), 0),
    };
  });
}

function total(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const one of all) addAll(sum, one);
  return sum;
}
