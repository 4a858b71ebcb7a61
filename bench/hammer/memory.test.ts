import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from './ledger.ts';
import { Series } from './series.ts';
import { histogram, type SecondPart, SLOTS } from './tally.ts';
import { Timeline } from './timeline.ts';

const id = (n: number): string => n.toString(16).padStart(64, '0');

test('the ledger tells what was shown from what was acknowledged, and a second event under one seq', () => {
  const ledger = new Ledger();
  assert.equal(ledger.show(3, id(3)), null);
  assert.equal(ledger.isAcknowledged(3), false);
  assert.equal(ledger.acknowledge(3, id(3)), null);
  assert.equal(ledger.acknowledge(3, id(3)), null, 'again');
  assert.equal(ledger.acknowledged, 1);
  assert.equal(ledger.acknowledge(3, id(4)), id(3));
  assert.equal(ledger.show(3, id(5)), id(3));
  assert.equal(ledger.id(3), id(3));
  assert.equal(ledger.id(2), null);
  assert.equal(ledger.length, 4);
});

test('the ledger grows in any order', () => {
  const ledger = new Ledger();
  for (let seq = 5000; seq >= 0; seq -= 2) ledger.acknowledge(seq, id(seq));
  assert.equal(ledger.acknowledged, 2501);
  for (let seq = 0; seq <= 5000; seq++) assert.equal(ledger.id(seq), seq % 2 === 0 ? id(seq) : null);
});

/** Slots of a second with success in these hundredths. */
function slots(...at: number[]): Uint8Array {
  const all = new Uint8Array(SLOTS);
  for (const slot of at) all[slot] = 1;
  return all;
}

test('gaps go over the ends of seconds, and count from the last success before what is looked at', () => {
  const timeline = new Timeline();
  timeline.mark(0, slots(0, 50));
  timeline.mark(2, slots(10, 99));
  timeline.mark(200, slots(0));
  assert.deepEqual(timeline.longestGap(0, 3000), { ms: 1590, at: 510 });
  assert.deepEqual(timeline.longestGap(1000, 1200), { ms: 690, at: 510 });
  assert.deepEqual(timeline.longestGap(3000, 10_000), { ms: 7000, at: 3000 });
  assert.deepEqual(new Timeline().longestGap(0, 1000), { ms: 1000, at: 0 });
});

function part(second: number, latencies: readonly number[], errors: Record<string, number> = {}): SecondPart {
  const latency = histogram();
  for (const ms of latencies) latency.record(ms * 1000);
  const counts = {
    offered: 10,
    shed: 1,
    acknowledged: latencies.length,
    expired: 0,
    reads: { head: 2 },
    readErrors: {},
    open: 3,
  };
  return { second, ...counts, errors, latency, slots: slots(second) };
}

test('a second of all threads is there when each has said its part, or the end has come', () => {
  const series = new Series(2);
  series.take(0, part(0, [10, 20], { fenced: 1 }));
  series.take(0, part(1, [30]));
  assert.equal(series.seconds.length, 0);
  series.take(1, part(0, [1000], { fenced: 2, unavailable: 1 }));
  assert.equal(series.seconds.length, 1);
  const [first] = series.seconds;
  assert.deepEqual(first?.errors, { fenced: 3, unavailable: 1 });
  assert.equal(first?.acknowledged, 3);
  assert.ok(Math.abs((first?.max_ms ?? 0) - 1000) < 20 && Math.abs((first?.p50_ms ?? 0) - 20) < 1);
  // The other thread was too busy to end second 1: it says second 2 at once.
  series.take(1, part(2, []));
  assert.equal(series.seconds.length, 2);
  series.end();
  assert.deepEqual(
    series.seconds.map(({ second, p50_ms }) => [second, Math.round(p50_ms)]),
    [
      [0, 20],
      [1, 30],
      [2, 0],
    ],
  );
  assert.equal(series.latency.count, 4);
});
