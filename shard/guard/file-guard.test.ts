import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { guardConformance } from '../../test/conformance/guard-conformance.ts';
import { openFileGuard } from './file-guard.ts';
import { openGuardStore } from './guard-store.ts';

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
