import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hammer } from './hammer.ts';
import { type Asked, LyingNode, type LyingNodeOptions, type Wire } from './lying-node.test-util.ts';
import type { Report } from './report.ts';
import type { Goals, Settings } from './settings.ts';
import { READS } from './tally.ts';

const SETTINGS: Omit<Settings, 'url'> = {
  rate: 80,
  seconds: 2,
  enclaves: 2,
  authors: 3,
  readers: 4,
  readRate: 60,
  arrayShare: 0.3,
  arraySize: 5,
  content: { min: 0, max: 300 },
  inFlight: 1000,
  connections: 16,
  threads: 1,
  maxEvents: 100_000,
  lifetimeSeconds: 60,
  settleSeconds: 240,
  seed: 'hammer.test.ts',
};
/** These nodes share a machine with other tests: how fast they are says nothing. */
const NO_GOALS: Goals = { rate: 0, p99: null, gap: null, wait: null };

async function run(
  options: LyingNodeOptions,
  change: Partial<Settings> = {},
  goals: Partial<Goals> = {},
): Promise<Report> {
  await using node = await LyingNode.start(options);
  return await hammer({
    settings: { ...SETTINGS, ...change, url: node.url },
    goals: { ...NO_GOALS, ...goals },
    marks: null,
    stop: new AbortController().signal,
    show: () => {},
  });
}

const words = (report: Report): string => report.findings.map(({ kind, what }) => `${kind}: ${what}`).join('\n');

describe('the hammer', { concurrency: 4 }, () => {
  test('finds nothing at an honest node, and has read and proved all of it', async () => {
    const report = await run({}, { threads: 2 });
    assert.equal(words(report), '');
    assert.deepEqual(report.verdict.reasons, []);
    assert.equal(report.verdict.ok, true);
    const { totals, seconds } = report;
    assert.equal(totals.offered, 160);
    assert.equal(totals.acknowledged, 160 + 2, 'the Manifests too');
    assert.equal(totals.read_back.events, totals.acknowledged);
    assert.equal(totals.read_back.enclaves, 2);
    assert.ok(totals.read_back.bundles >= 2 && totals.read_back.states > 0);
    assert.equal(
      seconds.reduce((n, { acknowledged }) => n + acknowledged, 0),
      160,
    );
    assert.ok(report.latency.p50_ms > 0 && report.latency.p999_ms >= report.latency.p50_ms);
  });

  test('reads in every way while it writes, ends when it is told to, and judges', async () => {
    await using node = await LyingNode.start();
    const stop = new AbortController();
    const report = await hammer({
      settings: { ...SETTINGS, rate: 30, seconds: 3600, url: node.url },
      goals: NO_GOALS,
      marks: null,
      stop: stop.signal,
      show: ({ series }) => {
        const met = new Set(series.seconds.flatMap(({ reads }) => Object.keys(reads)));
        if (READS.every((kind) => met.has(kind))) stop.abort();
      },
    });
    assert.equal(words(report), '');
    assert.equal(report.verdict.ok, true);
    for (const kind of READS) assert.ok((report.totals.reads[kind] ?? 0) > 0, kind);
    assert.ok(report.load_seconds < 3000);
    assert.equal(report.totals.read_back.events, report.totals.acknowledged);
  });

  test('repeats what got no answer or 503, and loses and doubles nothing', async () => {
    let n = 0;
    const report = await run(
      { trouble: () => ([undefined, 'cut', undefined, 'busy'] as const)[n++ % 4] },
      { readRate: 20 },
    );
    assert.equal(words(report), '');
    assert.equal(report.verdict.ok, true);
    assert.ok((report.totals.errors['unreachable'] ?? 0) > 10 && (report.totals.errors['overloaded'] ?? 0) > 10);
    assert.equal(report.totals.read_back.events, report.totals.acknowledged);
    assert.equal(report.totals.expired, 0);
  });

  /** Requests for the first note, all of them: there always is one, whatever else is drawn. */
  function firstNote(): (asked: Asked) => boolean {
    let hash: string | undefined;
    return ({ body, path }) => {
      if (body?.type === 'note' && hash === undefined) ({ hash } = body);
      return hash !== undefined && (body?.hash === hash || path.includes(hash));
    };
  }

  test('knows that a commit which never arrived never will, once it has expired', async () => {
    const isIt = firstNote();
    const trouble = (asked: Asked) => (isIt(asked) && asked.method === 'POST' ? 'dropped' : undefined);
    const report = await run({ trouble }, { rate: 25, lifetimeSeconds: 4, arrayShare: 0 });
    assert.equal(words(report), '');
    assert.equal(report.verdict.ok, true);
    assert.ok(report.totals.expired >= 1);
    assert.equal(report.totals.read_back.events, report.totals.acknowledged);
  });

  test('finds a commit in the log of which the node says nothing', async () => {
    const isIt = firstNote();
    const trouble = (asked: Asked) => (isIt(asked) ? 'cut' : undefined);
    const report = await run({ trouble }, { rate: 25, lifetimeSeconds: 2, arrayShare: 0, settleSeconds: 24 });
    assert.equal(words(report), '');
    assert.equal(report.verdict.ok, true);
    assert.ok(report.totals.read_back.events > report.totals.acknowledged);
  });

  test('finds an acknowledged event that is left out of the log', async () => {
    const report = await run({
      lie: ({ body }, answer, node) => {
        if (body?.type !== 'Pull' || body.enclave !== node.enclaves[0]) return undefined;
        return { ...answer, events: answer.events.filter(({ seq }: Wire) => seq !== 5) };
      },
    });
    assert.equal(report.verdict.ok, false);
    assert.equal(report.verdict.lost, 1);
    assert.match(words(report), /lost: the acknowledged event 5 \(/);
  });

  test('finds another event under a seq that was acknowledged, though it is signed as it should be', async () => {
    const report = await run(
      {
        lie: ({ body }, answer, node) => {
          if (body?.type !== 'Pull' || body.enclave !== node.enclaves[0]) return undefined;
          const events = answer.events.map((event: Wire) =>
            event.seq === 4 ? node.resequenced(event, { timestamp: event.timestamp + 1 }) : event,
          );
          return { ...answer, events };
        },
      },
      { readers: 0 },
    );
    assert.equal(report.verdict.ok, false);
    assert.equal(report.verdict.lost, 1);
    assert.match(words(report), /proof: event 4 is [0-9a-f]{64}, but [0-9a-f]{64} was shown before \(equivocation\)/);
  });

  test('finds one commit that is there twice', async () => {
    const report = await run(
      {
        lie: ({ body }, answer, node) => {
          if (body?.type !== 'Pull' || body.enclave !== node.enclaves[0]) return undefined;
          const events = answer.events.map((event: Wire, i: number) => {
            const { seq, timestamp } = event;
            return seq === 7 && i > 0 ? node.resequenced(answer.events[i - 1], { seq, timestamp }) : event;
          });
          return { ...answer, events };
        },
      },
      { readers: 0 },
    );
    assert.equal(report.verdict.ok, false);
    assert.ok(report.totals.findings.duplicate >= 1);
    assert.match(words(report), /duplicate: commit [0-9a-f]{64} is there twice, the second time as event 7/);
  });

  test('finds a receipt for something that was never stored', async () => {
    let kept = 0;
    const report = await run(
      {
        lie: ({ body }, answer, node) => {
          // The answer to one commit is the receipt of the next seq, which the node will give to somebody else.
          if (answer?.type !== 'Receipt' || body?.type !== 'note' || answer.seq < 3 || kept++ > 0) return undefined;
          return node.resequenced({ ...answer, sig: body.sig }, { seq: answer.seq + 1 });
        },
      },
      { arrayShare: 0, readers: 0 },
    );
    assert.equal(report.verdict.ok, false);
    assert.ok(report.verdict.failed_proofs >= 1, words(report));
  });

  test('finds a forged receipt', async () => {
    let forged = 0;
    const report = await run({
      lie: ({ body }, answer) => {
        if (answer?.type !== 'Receipt' || body?.type !== 'note' || forged++ > 0) return undefined;
        return { ...answer, timestamp: answer.timestamp + 1 };
      },
    });
    assert.equal(report.verdict.ok, false);
    assert.equal(report.verdict.failed_proofs, 1);
    assert.equal(report.verdict.lost, 0, 'the truth was learned afterwards');
    assert.match(words(report), /proof: commit: the receipt does not check/);
  });

  test('finds a tree head that does not continue the ones before', async () => {
    const report = await run({
      lie: ({ path }, answer, node) =>
        path === `/${node.enclaves[0]}/sth` && answer.ts >= 1 ? node.forked(answer) : undefined,
    });
    assert.equal(report.verdict.ok, false);
    assert.match(words(report), /proof: (inclusion|consistency|sth): /);
  });

  test('finds a state that is not what the events add up to', async () => {
    const report = await run({
      lie: ({ path }, answer) => {
        if (path !== '/state-batch') return undefined;
        const [first, ...rest] = answer.proofs;
        return { ...answer, proofs: [{ ...first, v: 'ab'.repeat(32) }, ...rest] };
      },
    });
    assert.equal(report.verdict.ok, false);
    assert.match(words(report), /proof: state-batch: /);
  });

  test('ends the load when it remembers as many events as it may', async () => {
    const report = await run({}, { seconds: 3600, maxEvents: 60, inFlight: 60 });
    assert.equal(words(report), '');
    assert.ok(report.full && report.totals.acknowledged >= 60 && report.totals.acknowledged < 130);
    assert.equal(report.totals.read_back.events, report.totals.acknowledged);
  });

  test('misses goals that are out of reach, and says so', async () => {
    const report = await run({}, { seconds: 1 }, { rate: 10_000, p99: 0.001, wait: 0.001, gap: 0.001 });
    assert.equal(words(report), '');
    assert.equal(report.verdict.ok, false);
    assert.equal(report.verdict.reasons.length, 4, report.verdict.reasons.join('\n'));
  });
});
