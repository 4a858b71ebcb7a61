import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evaluate, KINDS, type Row } from './evaluate.ts';

const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.json'));
const vectors = files.map((file) => ({
  file,
  rows: JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8')) as Row[],
}));

test('there are at least 200 rows, of every kind, and negative ones', () => {
  const rows = vectors.flatMap(({ rows }) => rows);
  assert.ok(rows.length >= 200, `${rows.length} rows`);
  assert.deepEqual([...new Set(rows.map((row) => row.kind))].sort(), Object.keys(KINDS).sort());
  const refused = rows.filter(
    ({ out }) =>
      (out as { error?: string; ok?: boolean }).error !== undefined || (out as { ok?: boolean }).ok === false,
  );
  assert.ok(refused.length >= 80, `${refused.length} negative rows`);
});

for (const { file, rows } of vectors) {
  test(`${file}: the codec gives what is frozen there`, () => {
    for (const row of rows)
      assert.deepEqual(JSON.parse(JSON.stringify(evaluate(row))), row.out, `${row.kind}: ${row.name}`);
  });
}
