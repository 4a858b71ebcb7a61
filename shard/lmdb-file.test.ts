import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { open } from 'lmdb';
import { checkLmdbFile } from './lmdb-file.ts';

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
