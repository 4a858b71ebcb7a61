import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { seeded } from '../../crypto/seeded.test-util.ts';
import { encodedLength, encodeRows, type JournalRow } from './journal-rows.ts';
import { RecentRows } from './recent-rows.ts';
import { openStore, type RowRange } from './store.ts';

test('rows of the journal and of LMDB read as one database, whatever is where, in every range', async (t) => {
  const seed = Number(process.env['SEED'] ?? 4711);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const int = (below: number): number => Buffer.from(random.bytes(4)).readUInt32LE(0) % below;
  const folder = mkdtempSync(join(tmpdir(), 'enc-recent-'));
  const store = openStore(folder);
  const applied = new Int32Array(new SharedArrayBuffer(4));
  const recent = new RecentRows(store, applied);
  const expected = new Map<string, string>();
  const pending: { group: number; rows: JournalRow[] }[] = [];
  const key = (): Buffer => Buffer.from([int(6) * 40, int(6) * 40, ...(int(3) === 0 ? [int(256)] : [])]);
  for (let group = 1; group <= 150; group++) {
    const rows: JournalRow[] = Array.from({ length: 1 + int(5) }, () => ({
      table: 1,
      key: key(),
      value: int(4) === 0 ? null : Buffer.from(random.bytes(1 + int(6))),
    }));
    pending.push({ group, rows });
    for (const { key, value } of rows) {
      if (value === null) expected.delete(key.toString('latin1'));
      else expected.set(key.toString('latin1'), value.toString('latin1'));
    }
    const encoded = Buffer.alloc(encodedLength(rows));
    encodeRows(rows, encoded);
    recent.add(group, encoded);
    if (int(4) === 0) {
      const count = 1 + int(pending.length);
      store.root.transactionSync(() => {
        for (const { rows } of pending.splice(0, count))
          for (const { key, value } of rows) {
            if (value === null) store.entries.removeSync(key);
            else store.entries.putSync(key, value);
          }
      });
      Atomics.store(applied, 0, pending[0] ? pending[0].group - 1 : group);
    }
    const { entries } = recent.store;
    for (let i = 0; i < 4; i++) {
      const at = key();
      assert.equal(entries.getBinary(at)?.toString('latin1'), expected.get(at.toString('latin1')));
    }
    for (let i = 0; i < 6; i++) {
      const [a, b] = [key(), key()].sort(Buffer.compare) as [Buffer, Buffer];
      const reverse = int(2) === 0;
      const range: RowRange = {
        ...(int(4) === 0 ? {} : { start: reverse ? b : a }),
        ...(int(4) === 0 ? {} : { end: reverse ? a : b }),
        ...(int(2) === 0 ? {} : { inclusiveEnd: true }),
        ...(reverse ? { reverse } : {}),
        ...(int(3) === 0 ? { limit: int(5) } : {}),
      };
      const want = select(expected, range);
      const where = `seed ${seed}, group ${group}, ${JSON.stringify(range)}`;
      assert.deepEqual(
        [...entries.getRange(range)].map(({ key, value }) => [key.toString('latin1'), value.toString('latin1')]),
        want,
        where,
      );
      assert.deepEqual(
        [...entries.getKeys(range)].map((name) => name.toString('latin1')),
        want.map(([name]) => name),
        where,
      );
    }
  }
  await store.root.close();
  rmSync(folder, { recursive: true });
});

/** The range as a plain sorted list has it. */
function select(rows: ReadonlyMap<string, string>, range: RowRange): [string, string][] {
  const { start, end, inclusiveEnd = false, reverse = false, limit = Number.POSITIVE_INFINITY } = range;
  const from = start?.toString('latin1');
  const to = end?.toString('latin1');
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
  if (reverse) sorted.reverse();
  return sorted
    .filter(([name]) => from === undefined || (reverse ? name <= from : name >= from))
    .filter(([name]) => to === undefined || (reverse ? name > to : name < to) || (inclusiveEnd && name === to))
    .slice(0, limit);
}
