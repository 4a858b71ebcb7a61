import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import type { Options, Scenario, Threshold } from 'k6/options';
import { number, seconds } from './env.ts';
import { get, post } from './node.ts';
import { receiptShapeFault } from './protocol.js';
import { type Entered, enter } from './setup.ts';
import { kept, latencies, type SummaryData, type SummaryRow, summaryOf, TREND_STATS, value } from './summary.ts';
import { openSupply, type Share } from './supply.ts';

/** From the first time a commit is sent to its receipt, ms; those of an array have that of the array. */
const commitMs = new Trend('enc_commit_ms', true);
const readMs = new Trend('enc_read_ms', true);
/** Of all commits, and of all reads, those that were answered as they must be. */
const acknowledged = new Rate('enc_acknowledged');
const readWell = new Rate('enc_read_well');
const commitsDone = new Counter('enc_commits');

/** What a profile does unless `-e` says otherwise. Rates are per second. */
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
}

/** Load before it counts: connections are made and code is compiled, here and there. */
const WARM_UP = '5s';
/** An SLO of three nines, after a client's own retries. */
const GOOD = 'rate>0.999';
/** Of 1,000 calls that were due one may be left out because all VUs were busy; more, and it was not this rate. */
const LEFT_OUT = 0.001;
/** A VU for each call under way: there are enough for answers that take so many s, and more are made up to so many. */
const [USUAL_S, LONGEST_S] = [0.25, 2];
const MAX_VUS = 2000;
/** Faults that each VU tells about. */
const TOLD = 3;

/** What a script exports (k6: options, setup, the functions of its scenarios, handleSummary). */
export interface Script {
  readonly options: Options;
  setup(): Entered;
  commits(): void;
  reads(entered: Entered): void;
  handleSummary(data: SummaryData): Record<string, string> | undefined;
}

/** Open-loop load: calls go out when they are due, whether or not earlier ones have been answered. */
export function script(profile: Profile): Script {
  const duration = seconds('DURATION', profile.duration);
  const warmUp = seconds('WARM_UP', WARM_UP);
  const rate = number('RATE', profile.rate);
  const batches = number('BATCHES', profile.batches);
  const batch = number('BATCH', profile.batch, 1);
  const reads = number('READS', profile.reads);
  const p99 = `p(99)<${number('P99_MS', profile.p99Ms, 1)}`;

  const shares: Record<string, Share> = {};
  const scenarios: Record<string, Scenario> = {};
  const thresholds: Record<string, Threshold[]> = {
    enc_acknowledged: [{ threshold: GOOD, abortOnFail: true, delayAbortEval: '30s' }],
  };
  let needed = 0;
  const add = (name: string, perSecond: number, s: number, perPost: number): void => {
    if (perSecond === 0) return;
    const warm = name === 'warm_up';
    scenarios[name] = {
      executor: 'constant-arrival-rate',
      exec: name === 'reads' ? 'reads' : 'commits',
      rate: Math.round(perSecond * 60),
      timeUnit: '1m',
      startTime: warm ? '0s' : `${warmUp}s`,
      duration: `${s}s`,
      preAllocatedVUs: Math.min(MAX_VUS, Math.ceil(perSecond * USUAL_S) + 4),
      maxVUs: Math.min(MAX_VUS, Math.ceil(perSecond * LONGEST_S) + 8),
    };
    if (!warm) thresholds[`dropped_iterations{scenario:${name}}`] = [`count<=${Math.ceil(perSecond * s * LEFT_OUT)}`];
    if (name === 'reads') return;
    shares[name] = { from: needed, perPost };
    // One more than are due: k6 may begin one at the very end.
    needed += (Math.ceil(perSecond * s) + 1) * perPost;
  };
  add('warm_up', rate || batches, warmUp, rate ? 1 : batch);
  add('single', rate, duration, 1);
  add('batch', batches, duration, batch);
  add('reads', reads, duration, 0);
  const measured = Object.keys(shares).filter((name) => name !== 'warm_up');
  if (measured.length === 0) throw new Error('RATE and BATCHES are both 0: there is nothing to commit');
  for (const name of measured) {
    thresholds[`enc_commit_ms{scenario:${name}}`] = [p99];
    thresholds[`enc_commits{scenario:${name}}`] = ['count>0'];
  }
  if (reads > 0) {
    thresholds['enc_read_well'] = [GOOD];
    thresholds['enc_read_ms{scenario:reads}'] = [p99];
  }

  const supply = openSupply();
  let told = 0;
  const tell = (what: string, fault: string | null): boolean => {
    const good = check(fault, { [what]: (f) => f === null });
    if (!good && told++ < TOLD) console.error(`${what}: ${fault}`);
    return good;
  };

  return {
    options: { scenarios, thresholds, summaryTrendStats: TREND_STATS },

    setup: () => enter(supply, { name: profile.name, hot: profile.hot, needed, seconds: warmUp + duration }),

    commits() {
      const { name, iterationInTest } = exec.scenario;
      const lines = supply.take(shares[name] as Share, iterationInTest);
      const body = lines.length === 1 ? (lines[0] as string) : `[${lines.join(',')}]`;
      const answer = post(body, { name: lines.length === 1 ? 'commit' : 'batch' });
      const answers = lines.length === 1 ? [answer.json] : answer.json;
      for (const [i, line] of lines.entries()) {
        const fault = receiptOf(line, Array.isArray(answers) ? answers[i] : answer.json);
        const good = tell('a commit gets its receipt', fault && `${fault} (${answer.status})`);
        acknowledged.add(good);
        if (good) commitMs.add(answer.ms);
      }
      commitsDone.add(lines.length);
    },

    reads(entered) {
      const { iterationInTest } = exec.scenario;
      const { enclave, session } = entered.readable[
        iterationInTest % entered.readable.length
      ] as Entered['readable'][0];
      const query = { type: 'Query', enclave, from: entered.reader, session, filter: { limit: 20, reverse: true } };
      const head = iterationInTest % 2 === 0;
      const answer = head ? get(`/${enclave}/sth`, { name: 'sth' }) : post(JSON.stringify(query), { name: 'query' });
      const of = (answer.json as { enclave?: unknown; events?: { enclave?: unknown }[] } | undefined) ?? {};
      const named = head ? of.enclave : of.events?.[0]?.enclave;
      const good = tell(
        'a read is answered',
        named === enclave ? null : `${answer.status} ${answer.text.slice(0, 200)}`,
      );
      readWell.add(good);
      if (good) readMs.add(answer.ms);
    },

    handleSummary(data) {
      const good = kept(data, ['enc_acknowledged']);
      const rows: SummaryRow[] = measured.map((name) => {
        const [ms, count] = [`enc_commit_ms{scenario:${name}}`, `enc_commits{scenario:${name}}`];
        const dropped = `dropped_iterations{scenario:${name}}`;
        const each = name === 'batch' ? `${batch} per POST, ${batches} POSTs/s` : `one per POST, ${rate} POSTs/s`;
        return {
          name: `k6-${profile.name}-${name}`,
          what: `${profile.what}: ${each} for ${duration} s, open loop`,
          rate: value(data, count, 'count') / duration,
          ...latencies(data, ms),
          acknowledged: value(data, 'enc_acknowledged', 'rate'),
          retries: value(data, 'enc_retries', 'count'),
          must: `${p99} ms, ${GOOD} acknowledged`,
          met: good && kept(data, [ms, count, dropped]),
        };
      });
      if (reads > 0) {
        const ms = 'enc_read_ms{scenario:reads}';
        rows.push({
          name: `k6-${profile.name}-reads`,
          what: `queries of 20 events and tree heads, ${reads}/s, beside it`,
          rate: reads,
          ...latencies(data, ms),
          must: `${p99} ms, ${GOOD} answered`,
          met:
            value(data, 'enc_read_well', 'passes') > 0 &&
            kept(data, ['enc_read_well', ms, 'dropped_iterations{scenario:reads}']),
        });
      }
      return summaryOf(rows);
    },
  };
}

/** null, or why `answer` is no receipt of the commit in `line`. */
function receiptOf(line: string, answer: unknown): string | null {
  const { hash, enclave } = JSON.parse(line) as { hash: string; enclave: string };
  return receiptShapeFault(answer, hash, enclave);
}
