import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ARCHIVE_OBJECT_BYTES, ArchiveDamaged } from '../../../protocol/archive-object.ts';
import { storeConformance } from '../../../test/conformance/store-conformance.ts';
import { S3_BUCKET, S3Server, s3Missing, s3SecretsMissing } from '../../../test/parts/s3.ts';
import { FileStore } from './file-store.ts';
import { StoreUnavailable } from './object-store.ts';
import { S3Store } from './s3-store.ts';

storeConformance('folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
  return {
    open: async () => new FileStore(folder),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
});

let s3: S3Server | null = null;
before(async () => {
  if (s3Missing === false) s3 = await S3Server.start();
});
after(() => s3?.remove());

storeConformance(
  'S3',
  async () => ({
    open: async () => new S3Store({ bucket: S3_BUCKET, prefix: 'one/two/', client: s3?.client() ?? {} }),
    remove: async () => {},
  }),
  s3Missing,
);

test('a wrong secret, a bucket that is not there and a server that is away are unavailable', {
  skip: s3SecretsMissing,
}, async () => {
  const server = s3 as S3Server;
  const wrong = new S3Store({ bucket: S3_BUCKET, prefix: '', client: server.client('wrong-secret') });
  const nowhere = new S3Store({ bucket: 'no-such-bucket', prefix: '', client: server.client() });
  const away = new S3Store({
    bucket: S3_BUCKET,
    prefix: '',
    client: { ...server.client(), endpoint: 'http://127.0.0.1:9' },
  });
  for (const store of [wrong, nowhere, away]) {
    await assert.rejects(store.create('a/0/1', Uint8Array.of(1)), StoreUnavailable);
    await assert.rejects(store.get('a/0/1'), StoreUnavailable);
    await assert.rejects(store.erase('a/0/1', [{ offset: 0, length: 1 }]), StoreUnavailable);
    await store.close();
  }
});

test('a store that answers 503 for a while is asked again, one that never answers is given up', async () => {
  let asked = 0;
  let healthyAfter = 1;
  const server: Server = createServer((request, response) => {
    request.resume();
    if (asked++ < healthyAfter) response.writeHead(503).end();
    else response.writeHead(200, { etag: '"1"' }).end();
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = { endpoint, region: 'us-east-1', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } };
  const store = new S3Store({ bucket: 'bucket', prefix: '', client });
  try {
    assert.equal(await store.create('a', Uint8Array.of(1)), 'created');
    assert.equal(asked, 2);
    healthyAfter = Number.POSITIVE_INFINITY;
    await assert.rejects(store.create('a', Uint8Array.of(1)), StoreUnavailable);
    server.removeAllListeners('request');
    server.on('request', (request) => request.resume());
    const hasty = new S3Store({ bucket: 'bucket', prefix: '', timeout: 200, client });
    const started = performance.now();
    await assert.rejects(hasty.create('a', Uint8Array.of(1)), StoreUnavailable);
    assert.ok(performance.now() - started < 3000);
    await hasty.close();
  } finally {
    await store.close();
    server.closeAllConnections();
    server.close();
  }
});

test('what a dead writer left is swept, what a live one writes is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
  try {
    const store = new FileStore(folder);
    writeFileSync(join(folder, 'tmp', 'old'), 'half');
    writeFileSync(join(folder, 'tmp', 'young'), 'half');
    utimesSync(join(folder, 'tmp', 'old'), 1, 1);
    await store.sweep();
    assert.deepEqual(readdirSync(join(folder, 'tmp')), ['young']);
    await store.create('e/0/1', Uint8Array.of(1));
    assert.deepEqual(readdirSync(join(folder, 'tmp')), ['young']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('an object larger than any that was written is damaged, and not read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
  try {
    const store = new FileStore(folder);
    mkdirSync(join(folder, 'e'));
    writeFileSync(join(folder, 'e', 'big'), '');
    truncateSync(join(folder, 'e', 'big'), ARCHIVE_OBJECT_BYTES + 1);
    await assert.rejects(store.get('e/big'), ArchiveDamaged);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
