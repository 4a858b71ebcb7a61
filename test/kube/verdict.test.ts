import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HammerReport, verdict } from './verdict.ts';

const TRIALS = [
  { label: 'a shard killed', most: 3100 },
  { label: 'an upgrade', most: 1000 },
];
const GOOD: HammerReport = {
  verdict: { ok: true, reasons: [], acknowledged: 5000, failed_proofs: 0, lost: 0 },
  marks: [
    { label: 'a shard killed', gap_ms: 2940, slowest_ms: 3100, errors: 12 },
    { label: 'an upgrade', gap_ms: 120, slowest_ms: 180, errors: 0 },
  ],
};

/** Names of what a changed report fails. */
function failed(change: Partial<HammerReport['verdict']>, marks = GOOD.marks): string[] {
  return verdict({ verdict: { ...GOOD.verdict, ...change }, marks }, TRIALS).flatMap(({ name, wrong }) =>
    wrong === null ? [] : [`${name}: ${wrong}`],
  );
}

test('a good run passes every check, one for each trial among them, with its unavailability', () => {
  const checks = verdict(GOOD, TRIALS);
  assert.deepEqual(failed({}), []);
  assert.deepEqual(
    checks.slice(-2).map(({ name }) => name),
    [
      'a shard killed: 2.9 s without a commit, the slowest took 3.1 s, 12 attempts failed',
      'an upgrade: 0.1 s without a commit, the slowest took 0.2 s, 0 attempts failed',
    ],
  );
});

test('one failed proof, or one lost event, fails the run with what the hammer says', () => {
  const reasons = ['1 acknowledged events were lost'];
  assert.deepEqual(failed({ ok: false, reasons, lost: 1 }), [
    '0 lost acknowledged events: 1 lost: 1 acknowledged events were lost',
    'the hammer is content: 1 acknowledged events were lost',
  ]);
  assert.equal(failed({ failed_proofs: 1 }).length, 1, 'even if the hammer were content');
  assert.equal(failed({ lost: 1 }).length, 1, 'even if the hammer were content');
});

test('a run in which nothing was acknowledged proves nothing', () => {
  assert.equal(failed({ acknowledged: 0 }).length, 1);
});

test('whatever else the hammer misses fails the run', () => {
  assert.deepEqual(failed({ ok: false, reasons: ['3 commits have an unknown outcome'] }), [
    'the hammer is content: 3 commits have an unknown outcome',
  ]);
  assert.equal(failed({ ok: false }).length, 1, 'also without a reason');
});

test('a wait of more than the trial allows fails it alone, of the whole cluster or of one enclave', () => {
  const [first, second] = GOOD.marks as [HammerReport['marks'][number], HammerReport['marks'][number]];
  assert.equal(failed({}, [{ ...first, gap_ms: 3101 }, second]).length, 1);
  assert.equal(failed({}, [{ ...first, slowest_ms: 3101 }, second]).length, 1);
  assert.deepEqual(failed({}, [{ ...first, gap_ms: 3100 }, second]), []);
});

test('a trial that the hammer knows nothing of fails', () => {
  assert.deepEqual(failed({}, GOOD.marks.slice(0, 1)), ['an upgrade: is not in the report of the hammer']);
});
