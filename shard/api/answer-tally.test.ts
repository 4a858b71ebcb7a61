import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Histogram, Registry } from 'prom-client';
import { LATENCY, Meters } from '../../cluster/metrics/meters.ts';
import { SecondsTally } from '../../cluster/metrics/seconds-tally.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { AnswerTally, ErrorTally } from './answer-tally.ts';

const FORBIDDEN = errorNumber('forbidden');
const UNAVAILABLE = errorNumber('unavailable');

async function samples(register: Registry): Promise<Map<string, number>> {
  const lines = (await register.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

test('a tally is exposed as prom-client exposes a histogram of the same observations', async () => {
  const [own, theirs] = [new Registry(), new Registry()];
  const labels = { call: ['post', 'proof'], outcome: ['ok', 'failed'] };
  const tally = new SecondsTally(new Meters(own), 'enc_seconds', 'what is timed', LATENCY, labels);
  const histogram = new Histogram({
    ...{ name: 'enc_seconds', help: 'what is timed', labelNames: ['call', 'outcome'] },
    buckets: [...LATENCY],
    registers: [theirs],
  });
  // On a bound, between two, beyond the last; in each series.
  const observed = [0, 0.0005, 0.00051, 0.128, 4.9, 5, 5.1, 1e6];
  for (const [i, row] of [
    { call: 'post', outcome: 'ok' },
    { call: 'post', outcome: 'failed' },
    { call: 'proof', outcome: 'ok' },
    { call: 'proof', outcome: 'failed' },
  ].entries())
    for (const seconds of observed.slice(i)) {
      tally.observe(seconds, i);
      histogram.observe(row, seconds);
    }
  assert.equal(await own.metrics(), await theirs.metrics());
  assert.equal(tally.count(1), observed.length - 1);
  own.resetMetrics();
  assert.equal(tally.count(1), 0);
});

test('errors are counted by code, and every code is there before its first', async () => {
  const register = new Registry();
  const tally = new ErrorTally(new Meters(register));
  assert.equal((await samples(register)).get('enc_errors_total{code="unavailable"}'), 0);
  for (const code of [0, UNAVAILABLE, UNAVAILABLE, FORBIDDEN]) tally.count(code);
  const found = await samples(register);
  assert.equal(found.get('enc_errors_total{code="unavailable"}'), 2);
  assert.equal(found.get('enc_errors_total{code="forbidden"}'), 1);
  assert.equal([...found.keys()].length, 36);
});

test('of an array every element is an answer, and the array is none; latency is that of the call', async () => {
  const register = new Registry();
  const tally = new AnswerTally(new Meters(register));
  for (const code of [0, 0, FORBIDDEN, UNAVAILABLE]) tally.count(code);
  tally.array();
  tally.answered('post', 0, 0.003);
  tally.answered('proof', FORBIDDEN, 0.001);
  const found = await samples(register);
  const answers = ['ok', 'refused', 'failed'].map((outcome) => found.get(`enc_answers_total{outcome="${outcome}"}`));
  assert.deepEqual(answers, [2, 2, 1]);
  assert.equal(found.get('enc_errors_total{code="forbidden"}'), 2);
  assert.equal(found.get('enc_answer_seconds_count{call="post",outcome="ok"}'), 1);
  assert.equal(found.get('enc_answer_seconds_bucket{le="0.002",call="post",outcome="ok"}'), 0);
  assert.equal(found.get('enc_answer_seconds_bucket{le="0.004",call="post",outcome="ok"}'), 1);
  assert.equal(found.get('enc_answer_seconds_sum{call="proof",outcome="refused"}'), 0.001);
});
