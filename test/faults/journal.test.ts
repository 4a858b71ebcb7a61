import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Journal, type Result } from './journal.ts';
import { inFolder } from './scenario.ts';

const plan = { seed: '3', scenario: null };
const result = (i: number): Result => ({
  i,
  name: 'crash',
  seed: `3/${i}`,
  found: [],
  skipped: null,
  counts: [['kill -9', 2]],
  seconds: 1,
});

test('a journal knows the runs that were finished, though the last line was torn, and is of one plan', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'runs');
    const first = new Journal(file, plan);
    first.add(result(1));
    first.add(result(0));
    appendFileSync(file, JSON.stringify(result(2)).slice(0, 30));
    const second = new Journal(file, plan);
    assert.deepEqual([second.result(0), second.result(1), second.result(2)], [result(0), result(1), undefined]);
    second.add(result(2));
    assert.deepEqual(new Journal(file, plan).result(2), result(2));
    assert.throws(() => new Journal(file, { ...plan, seed: '4' }), /another plan/);
  }));
