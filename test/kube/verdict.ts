/** What is read of the hammer's JSON report (bench/hammer). */
export interface HammerReport {
  readonly verdict: {
    readonly ok: boolean;
    readonly reasons: readonly string[];
    readonly acknowledged: number;
    readonly failed_proofs: number;
    readonly lost: number;
  };
  readonly marks: readonly HammerMark[];
}

export interface HammerMark {
  readonly label: string;
  /** longest time without a successful commit, from its beginning on, ms */
  readonly gap_ms: number;
  /** slowest commit that was acknowledged then, from when it was due, ms */
  readonly slowest_ms: number;
  /** attempts that failed, each of which was repeated */
  readonly errors: number;
}

/** Something that was done to the cluster, and the longest that any commit may wait because of it, ms. */
export interface Trial {
  readonly label: string;
  readonly most: number;
}

export interface Check {
  readonly name: string;
  /** why not; null: it holds */
  readonly wrong: string | null;
}

/** What the whole run under load says: nothing lost, nothing unproved, and how long commits waited around each trial. */
export function verdict(report: HammerReport, trials: readonly Trial[]): Check[] {
  const { acknowledged, failed_proofs, lost, ok, reasons } = report.verdict;
  return [
    check(`${acknowledged} commits acknowledged`, acknowledged > 0 ? null : 'nothing was acknowledged'),
    check('0 failed proofs', failed_proofs === 0 ? null : `${failed_proofs} failed: ${reasons.join('; ')}`),
    check('0 lost acknowledged events', lost === 0 ? null : `${lost} lost: ${reasons.join('; ')}`),
    check('the hammer is content', ok ? null : reasons.join('; ') || 'it does not say why not'),
    ...trials.map((trial) => around(trial, report.marks)),
  ];
}

function around({ label, most }: Trial, marks: readonly HammerMark[]): Check {
  const mark = marks.find((one) => one.label === label);
  if (!mark) return check(label, 'is not in the report of the hammer');
  const seen = `${label}: ${seconds(mark.gap_ms)} without a commit, the slowest took ${seconds(mark.slowest_ms)}, ${mark.errors} attempts failed`;
  const longest = Math.max(mark.gap_ms, mark.slowest_ms);
  return check(seen, longest <= most ? null : `${seconds(most)} is the most that a commit may wait`);
}

const check = (name: string, wrong: string | null): Check => ({ name, wrong });
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
