import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { missing, type RedisServer, startRedis } from '../../test/parts/redis.ts';
import { closeStores, open, put } from './scripts.test-util.ts';

afterEach(closeStores);

/** A way to the server that breaks off, so many times, when a client sends these bytes. */
async function breaking(server: RedisServer, at: string, times: number): Promise<Server> {
  let left = times;
  const way = createServer((client) => {
    const upstream = connect(server.address.port, server.address.host);
    client.on('error', () => {}).on('close', () => upstream.destroy());
    upstream.on('error', () => {}).on('close', () => client.destroy());
    client.on('data', (bytes) => {
      if (left > 0 && bytes.includes(at) && left-- > 0) client.destroy();
      else upstream.write(bytes);
    });
    upstream.on('data', (bytes) => client.write(bytes));
  });
  await once(way.listen(0, '127.0.0.1'), 'listening');
  way.unref();
  return way;
}

describe('the check of a new connection', { skip: missing }, () => {
  test('a connection that ends while settings are read says nothing of them: the next one is tried', async () => {
    const server = await startRedis();
    const way = await breaking(server, 'CONFIG', 2);
    const store = await open(null, { at: { host: '127.0.0.1', port: (way.address() as AddressInfo).port } });
    assert.equal(String(await store.counted(put, [Buffer.from('k')], ['v'])), 'v');
    await store.close();
    way.close();
    await server.remove();
  });

  test('a user who may not read the settings is told so', async () => {
    const server = await startRedis();
    const store = await open(server);
    await store.fetch('ACL', 'SETUSER', 'default', '-config');
    await store.close();
    await assert.rejects(open(server), { name: 'RedisRefused', message: /does not show its settings .*CONFIG GET/ });
    await server.remove();
  });
});
