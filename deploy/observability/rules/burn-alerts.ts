import { type Alert, WHERE } from './alert.ts';
import { OBJECTIVES, type Ratio, ratio, type Window } from './objectives.ts';

/** Burn rate that is too much over both windows: at 14.4 an hour takes 2 % of the budget of 30 days. */
interface Burn {
  readonly factor: number;
  readonly long: Window;
  readonly short: Window;
}
const FAST: readonly Burn[] = [
  { factor: 14.4, long: '1h', short: '5m' },
  { factor: 6, long: '6h', short: '30m' },
];
const SLOW: readonly Burn[] = [
  { factor: 3, long: '1d', short: '2h' },
  { factor: 1, long: '3d', short: '6h' },
];

const burning = (what: Ratio, budget: number, burns: readonly Burn[]): string =>
  burns
    .map(({ factor, long, short }) => {
      const limit = Number((factor * budget).toPrecision(6));
      return `(${ratio(what, long)} > ${limit} and ${ratio(what, short)} > ${limit})`;
    })
    .join(' or ');

const { availability, latency } = OBJECTIVES;

export const BURN_ALERTS = [
  {
    alert: 'EncAnswersFailFast',
    expr: burning('answers_failed', availability.budget, FAST),
    severity: 'critical',
    summary: `Too many answers fail${WHERE}`,
    description:
      '{{ $value | humanizePercentage }} of answers fail (5xx): the error budget of 30 days is gone within days.',
  },
  {
    alert: 'EncAnswersFailSlowly',
    expr: burning('answers_failed', availability.budget, SLOW),
    for: '15m',
    severity: 'warning',
    summary: `More answers fail than the objective allows${WHERE}`,
    description: '{{ $value | humanizePercentage }} of answers fail (5xx), and have for a day or more.',
  },
  {
    alert: 'EncCommitsSlowFast',
    expr: burning('commits_slow', latency.budget, FAST),
    severity: 'critical',
    summary: `Too many commits are slow${WHERE}`,
    description: `{{ $value | humanizePercentage }} of commits take more than ${latency.seconds * 1000} ms.`,
  },
  {
    alert: 'EncCommitsSlowSlowly',
    expr: burning('commits_slow', latency.budget, SLOW),
    for: '15m',
    severity: 'warning',
    summary: `More commits are slow than the objective allows${WHERE}`,
    description: `{{ $value | humanizePercentage }} of commits take more than ${latency.seconds * 1000} ms, and have for a day or more.`,
  },
] as const satisfies readonly Alert[];
