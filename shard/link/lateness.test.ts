import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lateness } from './lateness.ts';

/** A frame every `step` ms from `from` to `to`; `sent` says what the sender's clock shows then. The last lateness. */
function frames(lateness: Lateness, from: number, to: number, step: number, sent: (now: number) => number): number {
  let last = 0;
  for (let now = from; now <= to; now += step) last = lateness.of(sent(now) >>> 0, now);
  return last;
}

describe('lateness', () => {
  test('what stood in buffers while this process was stopped is late by that much, however long it was', () => {
    for (const stopped of [3000, 60_000, 600_000]) {
      const lateness = new Lateness();
      assert.equal(
        frames(lateness, 0, 1000, 10, (now) => now),
        0,
      );
      // All of it is read at once.
      for (let sent = 1010; sent < 1500; sent += 10)
        assert.equal(lateness.of(sent, 1000 + stopped), 1000 + stopped - sent);
      assert.equal(
        frames(lateness, 1000 + stopped, 2000 + stopped, 10, (now) => now),
        0,
      );
    }
  });

  test('a sender whose count of ms begins anew after 2^32 is not late', () => {
    const lateness = new Lateness();
    const began = 2 ** 32 - 5000;
    assert.equal(
      frames(lateness, 0, 100_000, 500, (now) => now + began),
      0,
    );
  });

  test('a clock that goes slower by 1 in 10,000 makes nothing late for days', () => {
    const lateness = new Lateness();
    const day = 86_400_000;
    assert.ok(frames(lateness, 0, 3 * day, 1000, (now) => Math.floor(now * 0.9999)) < 20);
  });

  test('a sender whose machine stood still is late for a minute, and then no more', () => {
    const lateness = new Lateness();
    frames(lateness, 0, 10_000, 100, (now) => now);
    assert.equal(
      frames(lateness, 14_000, 15_000, 100, (now) => now - 4000),
      4000,
    );
    assert.equal(
      frames(lateness, 15_000, 80_000, 100, (now) => now - 4000),
      0,
    );
  });
});
