import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import type { Options } from 'k6/options';
import { get, post } from './node.ts';
import { planOf } from './plan.ts';
import { loadOf, type Profile } from './profile.ts';
import { receiptShapeFault } from './protocol.js';
import { rowsOf } from './rows.ts';
import { type Readable, Sessions } from './sessions.ts';
import { type Entered, enter } from './setup.ts';
import { type SummaryData, summaryOf } from './summary.ts';
import { openSupply, type Share } from './supply.ts';

/** From the first time a commit is sent to its receipt, ms; those of an array have that of the array. */
const commitMs = new Trend('enc_commit_ms', true);
const readMs = new Trend('enc_read_ms', true);
/** Of all commits, and of all reads, those that were answered as they must be. */
const acknowledged = new Rate('enc_acknowledged');
const readWell = new Rate('enc_read_well');
const commitsDone = new Counter('enc_commits');

/** Faults that each VU tells about. */
const TOLD = 3;
const QUERY = { limit: 20, reverse: true };

/** What a script exports (k6: options, setup, the functions of its scenarios, handleSummary). */
export interface Script {
  readonly options: Options;
  setup(): Entered;
  commits(): void;
  reads(entered: Entered): void;
  handleSummary(data: SummaryData): Record<string, string> | undefined;
}

export function script(profile: Profile): Script {
  const load = loadOf(profile);
  const plan = planOf(load);
  const supply = openSupply();
  const sessions = new Sessions();
  let told = 0;
  const expect = (what: string, fault: string | null): boolean => {
    const good = check(fault, { [what]: (f) => f === null });
    if (!good && told++ < TOLD) console.error(`${what}: ${fault}`);
    return good;
  };

  return {
    options: plan.options,

    setup: () => enter(supply, { ...load, commits: plan.commits }),

    commits() {
      const { name, iterationInTest, progress } = exec.scenario;
      const lines = supply.take(plan.shares[name] as Share, iterationInTest);
      const [one = ''] = lines;
      const single = lines.length === 1;
      const answer = post(single ? one : `[${lines.join(',')}]`, { name: single ? 'commit' : 'batch' });
      const answers = single ? [answer.json] : answer.json;
      for (const [i, line] of lines.entries()) {
        // A refused array is one error for all of it.
        const fault = receiptFault(line, Array.isArray(answers) ? answers[i] : answer.json);
        const good = expect('a commit gets its receipt', fault && `${fault} (${answer.status})`);
        acknowledged.add(good);
        if (good) commitMs.add(answer.ms, load.long ? { part: partOf(progress) } : {});
      }
      commitsDone.add(lines.length);
    },

    reads({ reader, readable }) {
      const { iterationInTest } = exec.scenario;
      const from = readable[iterationInTest % readable.length] as Readable;
      const { enclave } = from;
      const head = iterationInTest % 2 === 0;
      const query = {
        type: 'Query',
        enclave,
        from: reader.id,
        session: sessions.of(from, reader.secret),
        filter: QUERY,
      };
      const answer = head ? get(`/${enclave}/sth`, { name: 'sth' }) : post(JSON.stringify(query), { name: 'query' });
      const told = (answer.json as { enclave?: unknown; events?: { enclave?: unknown }[] } | undefined) ?? {};
      const named = head ? told.enclave : told.events?.[0]?.enclave;
      const fault = named === enclave ? null : `${answer.status} ${answer.text.slice(0, 200)}`;
      const good = expect('a read is answered', fault);
      readWell.add(good);
      if (good) readMs.add(answer.ms);
    },

    handleSummary: (data) => summaryOf(rowsOf(load, plan, data)),
  };
}

/** null, or why `answer` is no receipt of the commit in `line`. */
function receiptFault(line: string, answer: unknown): string | null {
  const { hash, enclave } = JSON.parse(line) as { hash: string; enclave: string };
  return receiptShapeFault(answer, hash, enclave);
}

/** of a long load, by how much of it has gone: the tenths that are looked at alone */
const partOf = (progress: number): string => (progress < 0.1 ? 'first' : progress < 0.9 ? 'middle' : 'last');
