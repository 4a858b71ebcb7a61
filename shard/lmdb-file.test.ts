import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from 'lmdb';
import { checkLmdbFile } from './lmdb-file.ts';
import { makeLmdbFile } from './new-lmdb-file.ts';

async function withStore(work: (folder: string, file: string) => void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'enc-lmdb-'));
  try {
    const store = open({ path: folder, noSubdir: false });
    store.transactionSync(() => {
      for (let i = 0; i < 500; i++) store.putSync(`key ${i}`, 'x'.repeat(100));
    });
    await store.close();
    work(folder, join(folder, 'data.mdb'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a store that LMDB has written passes, and so do no store and an empty file', () =>
  withStore((folder, file) => {
    checkLmdbFile(folder, 'log/');
    writeFileSync(file, '');
    checkLmdbFile(folder, 'log/');
    rmSync(file);
    checkLmdbFile(folder, 'log/');
  }));

test('a zeroed or short first page is refused in a sentence that says what to do', () =>
  withStore((folder, file) => {
    const bytes = readFileSync(file);
    for (const page of [0, 4096]) {
      writeFileSync(file, Buffer.from(bytes).fill(0, page, page + 4096));
      assert.throws(() => checkLmdbFile(folder, 'guard/'), /first pages are damaged: put guard\/ back/);
    }
    for (const size of [1, 100, 4096, 4200]) {
      writeFileSync(file, bytes.subarray(0, size));
      assert.throws(() => checkLmdbFile(folder, 'guard/'), /first pages are damaged/);
    }
  }));

test('a file that ends before the root of its tree is refused', () =>
  withStore((folder, file) => {
    truncateSync(file, 3 * 4096);
    assert.throws(() => checkLmdbFile(folder, 'log/'), /its end is missing: put log\/ back/);
  }));

test('a new store is one that LMDB opens, nothing else is left behind, and one that is there is not touched', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'enc-lmdb-')), 'log');
  try {
    // as a start that was cut off leaves it
    mkdirSync(join(folder, 'new'), { recursive: true });
    writeFileSync(join(folder, 'new', 'data.mdb'), 'half');
    await makeLmdbFile(folder);
    assert.deepEqual(readdirSync(folder), ['data.mdb']);
    checkLmdbFile(folder, 'log/');
    const store = open({ path: folder, noSubdir: false });
    await store.put('key', 'value');
    await store.close();
    const before = readFileSync(join(folder, 'data.mdb'));
    await makeLmdbFile(folder);
    assert.deepEqual(readFileSync(join(folder, 'data.mdb')), before);
  } finally {
    rmSync(join(folder, '..'), { recursive: true });
  }
});
