import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from './filter.ts';
import { matchesFilter } from './filter-match.ts';
import { unhex } from './hex.ts';
import { canonical, toJson } from './json.ts';
import type { EventRecord } from './records.ts';

const ID = 'ab'.repeat(32);
const ME = 'cd'.repeat(32);
const none = new Uint8Array(32);

function event(tags: unknown = [['t', 'x', 'y'], ['only'], ['t', 'z']]): EventRecord {
  const sig = new Uint8Array(64);
  return {
    flags: 1,
    typeNumber: 0,
    seq: 5,
    timestamp: 1000,
    exp: 2000,
    ctl: 0,
    lane: 0,
    contentLength: 0,
    id: unhex(ID),
    hash: none,
    from: unhex(ME),
    sig,
    seqSig: sig,
    contentHash: none,
    target: none,
    sequencer: none,
    type: 'M',
    tags: tags === undefined ? '' : canonical(toJson(tags)),
  };
}

function matches(filter: Record<string, unknown>, of = event()): boolean {
  const parsed = parseFilter(toJson(filter));
  assert.ok(parsed);
  return matchesFilter(parsed, of);
}

test('each condition by itself', () => {
  assert.ok(matches({}));
  assert.ok(matches({ id: ID }) && matches({ id: [ME, ID] }) && !matches({ id: ME }));
  assert.ok(matches({ from: ME }) && !matches({ from: [ID] }));
  assert.ok(matches({ type: ['N', 'M'] }) && !matches({ type: 'm' }));
  assert.ok(matches({ lane: 0 }) && !matches({ lane: 1 }));
  assert.ok(matches({ seq: 5 }) && matches({ seq: [4, 5] }) && !matches({ seq: 4 }));
});

test('ranges are inclusive or exclusive as they say', () => {
  assert.ok(
    matches({ seq: { start_at: 5 } }) && !matches({ seq: { start_after: 5 } }) && matches({ seq: { start_after: 4 } }),
  );
  assert.ok(
    matches({ seq: { end_at: 5 } }) &&
      !matches({ seq: { end_before: 5 } }) &&
      matches({ seq: { start_at: 5, end_at: 5 } }),
  );
  assert.ok(matches({ timestamp: { start_at: 1000, end_before: 1001 } }) && !matches({ timestamp: { end_at: 999 } }));
});

test('tags: the first string is the name, the second the value; all names must match', () => {
  assert.ok(matches({ tags: { t: 'x' } }) && matches({ tags: { t: 'z' } }) && matches({ tags: { t: ['q', 'z'] } }));
  assert.ok(!matches({ tags: { t: 'y' } }) && !matches({ tags: { x: true } }));
  assert.ok(matches({ tags: { only: true } }) && !matches({ tags: { only: '' } }));
  assert.ok(matches({ tags: { t: 'x', only: true } }) && !matches({ tags: { t: 'x', other: true } }));
  assert.ok(!matches({ tags: { t: true } }, { ...event(), tags: '' }));
});

test('all conditions must hold', () => {
  assert.ok(matches({ type: 'M', seq: 5, from: ME }));
  assert.ok(!matches({ type: 'M', seq: 5, from: ID }));
});
