import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Head } from '../../kernel/kernel.ts';
import { guardConformance } from '../../test/conformance/guard-conformance.ts';
import { openFileGuard } from './file-guard.ts';
import { openGuardStore } from './guard-store.ts';
import type { ReleaseGuard } from './release-guard.ts';

guardConformance('file guard', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-guard-'));
  return { open: () => openFileGuard({ folder }), remove: async () => rmSync(folder, { recursive: true }) };
});

test('a guard of a newer format is refused with a sentence', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-guard-'));
  await (await openFileGuard({ folder })).close();
  const store = openGuardStore(folder);
  await store.meta.put(Buffer.from('format'), Buffer.from([99, 0]));
  await store.root.close();
  await assert.rejects(openFileGuard({ folder }), /format 99.*newer version/);
  rmSync(folder, { recursive: true });
});

test('a watermark with a flipped bit is an error, not another head', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-guard-'));
  const key = { enclave: new Uint8Array(32).fill(7), lane: 0 };
  const head = { seq: 3, chain: new Uint8Array(32), bundles: 1, ctRoot: new Uint8Array(32) };
  const guard = await openFileGuard({ folder });
  await guard.create(key, head);
  await guard.close();
  const store = openGuardStore(folder);
  const rowKey = Buffer.concat([key.enclave, Buffer.alloc(4)]);
  const row = store.watermarks.getBinary(rowKey) as Buffer;
  row[20] = (row[20] as number) ^ 1;
  await store.watermarks.put(rowKey, row);
  await store.root.close();
  const again = await openFileGuard({ folder });
  await assert.rejects(again.read(key), { name: 'GuardDamaged' });
  const result = await new Promise((done) => again.advance({ key, from: head, to: { ...head, seq: 4 }, done }));
  assert.equal(result, 'unknown');
  await again.close();
  rmSync(folder, { recursive: true });
});

const at = { enclave: new Uint8Array(32).fill(7), lane: 0 };
const headAt = (seq: number): Head => ({ seq, chain: new Uint8Array(32), bundles: 0, ctRoot: new Uint8Array(32) });
const move = (guard: ReleaseGuard, from: number, to: number): Promise<string> =>
  new Promise((done) => guard.advance({ key: at, from: headAt(from), to: headAt(to), done }));

/** The folder as kill -9 leaves it right after `run`: what was answered is in the journal at least. */
async function crashed(run: (guard: ReleaseGuard) => Promise<void>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'enc-guard-'));
  const copy = mkdtempSync(join(tmpdir(), 'enc-guard-'));
  const guard = await openFileGuard({ folder });
  await run(guard);
  cpSync(folder, copy, { recursive: true });
  await guard.close();
  rmSync(folder, { recursive: true });
  return copy;
}

test('watermarks that only the journal holds are there after a crash, and go on from where they were', async () => {
  const folder = await crashed(async (guard) => {
    await guard.create(at, headAt(-1));
    for (let seq = 0; seq < 5; seq++) assert.equal(await move(guard, seq - 1, seq), 'ok');
    assert.equal((await guard.read(at))?.seq, 4);
  });
  const guard = await openFileGuard({ folder });
  assert.equal((await guard.read(at))?.seq, 4);
  assert.equal(await move(guard, 3, 9), 'refused');
  assert.equal(await move(guard, 4, 5), 'ok');
  await guard.close();
  rmSync(folder, { recursive: true });
});

test('a journal with damage before its end is refused: a watermark that stepped back would let a fork pass', async () => {
  const folder = await crashed(async (guard) => {
    await guard.create(at, headAt(-1));
    for (let seq = 0; seq < 3; seq++) await move(guard, seq - 1, seq);
  });
  const path = join(folder, readdirSync(folder).find((name) => name.startsWith('journal-')) as string);
  const bytes = readFileSync(path);
  const second = 48 + 124 + 4;
  bytes[second + 60] = (bytes[second + 60] as number) ^ 1;
  writeFileSync(path, bytes);
  await assert.rejects(openFileGuard({ folder }), /journal of the guard is damaged/);
  rmSync(folder, { recursive: true });
});

test('a guard that another process has taken over answers for nothing any more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-guard-'));
  const lost = Promise.withResolvers<void>();
  const first = await openFileGuard({ folder, onLost: lost.resolve });
  await first.create(at, headAt(-1));
  await move(first, -1, 0);
  const second = await openFileGuard({ folder });
  assert.equal(await move(first, 0, 1), 'unknown');
  await lost.promise;
  assert.equal((await second.read(at))?.seq, 0);
  assert.equal(await move(second, 0, 2), 'ok');
  await first.close();
  assert.equal((await second.read(at))?.seq, 2);
  await second.close();
  const third = await openFileGuard({ folder });
  assert.equal((await third.read(at))?.seq, 2);
  await third.close();
  rmSync(folder, { recursive: true });
});
