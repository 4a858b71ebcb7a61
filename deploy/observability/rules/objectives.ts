/** Windows of the burn-rate alerts (Google's SRE workbook, chapter 5): a long one, and a short one that ends the alert soon. */
export const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'] as const;
export type Window = (typeof WINDOWS)[number];

/**
 * What clients may count on, over 30 days. To change one: here, then `npm run observability`.
 *
 * - availability: of all answers but those that were the caller's doing (4xx), as many must not fail (5xx). Retries that a
 *   router makes within its deadline fail nothing.
 * - latency: of all calls of commits that were answered `ok`, as many must take no longer, at the public API. `seconds` is
 *   a bucket of the histogram.
 */
export const OBJECTIVES = {
  availability: { budget: 0.001 },
  latency: { budget: 0.01, seconds: 0.256 },
} as const;

export type Ratio = 'answers_failed' | 'commits_slow';

/** Name of the recording rule that holds the share of what misses an objective, over a window. */
export const ratio = (what: Ratio, window: Window): string => `enc:${what}:ratio_rate${window}`;

const failed = (window: Window): string =>
  `sum by (namespace) (rate(enc_answers_total{outcome="failed"}[${window}])) / ` +
  `sum by (namespace) (rate(enc_answers_total{outcome!="refused"}[${window}]))`;

const slow = (window: Window): string => {
  const of = 'call="post",outcome="ok"';
  const quick = `rate(enc_answer_seconds_bucket{${of},le="${OBJECTIVES.latency.seconds}"}[${window}])`;
  return `1 - sum by (namespace) (${quick}) / sum by (namespace) (rate(enc_answer_seconds_count{${of}}[${window}]))`;
};

/** Every ratio over every window. */
export const RECORDINGS = WINDOWS.flatMap((window) => [
  { record: ratio('answers_failed', window), expr: failed(window) },
  { record: ratio('commits_slow', window), expr: slow(window) },
]);
