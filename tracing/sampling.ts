/** Who is traced, decided once, where a call comes in: what follows it through the cluster does as that says. */
export interface Sampling {
  /** share of the calls, 0 … 1 */
  readonly ratio: number;
  /** a caller that says whether it is sampled is believed, and the ratio holds for all others */
  readonly parentBased: boolean;
}

/** 56 random bits stand at the end of a trace id (W3C Trace Context level 2 §3.2.2.3). */
const RANDOM_DIGITS = 14;
const RANDOM_RANGE = 2 ** 56;

/**
 * Whether a trace that somebody else began falls within `ratio`. Everybody who asks for the same ratio says the same, and
 * who asks for more says yes at least as often (OpenTelemetry, consistent probability sampling).
 */
export function withinRatio(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) >= (1 - ratio) * RANDOM_RANGE;
}
