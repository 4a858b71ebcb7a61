import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createOperatorServer } from '../../shard/api/operator.ts';
import { operatorPort, readiness } from './readiness.ts';

const CLUSTER = { ENC_TOPOLOGY_URL: 'redis://127.0.0.1:1', ENC_LINK_SECRET: '/nowhere' };
const SHARD = {
  ...CLUSTER,
  ENC_SHARD: '2',
  ENC_LOG_REDIS: 'redis://127.0.0.1:1',
  ENC_GUARD_REDIS: 'redis://127.0.0.1:2',
};

const PLACES = [
  { role: 'node', args: [], env: {}, at: 'http://127.0.0.1:8081/' },
  { role: 'node', args: ['--port', '9000'], env: {}, at: 'http://127.0.0.1:9001/' },
  { role: 'node', args: [], env: { ENC_OPS_HOST: '0.0.0.0', ENC_OPS_PORT: '99' }, at: 'http://127.0.0.1:99/' },
  { role: 'node', args: [], env: { ENC_OPS_HOST: '::', ENC_OPS_PORT: '99' }, at: 'http://[::1]:99/' },
  { role: 'shard', args: ['--ops-port', '77'], env: SHARD, at: 'http://127.0.0.1:77/' },
  { role: 'router', args: ['--ops-port', '77'], env: CLUSTER, at: 'http://127.0.0.1:77/' },
];

for (const { role, args, env, at } of PLACES) {
  test(`a ${role} (${[...args, ...Object.keys(env)].join(' ')}) is asked on ${at}`, () => {
    assert.equal(operatorPort(role, args, env)?.href, at);
  });
}

test('the command line, a port that is off and a free one leave nothing to ask', () => {
  assert.equal(operatorPort('enc', ['query'], {}), null);
  assert.equal(operatorPort('node', ['--ops-port', 'off'], {}), null);
  assert.equal(operatorPort('node', ['--ops-port', '0'], {}), null);
});

test('is ready as /readyz says', async () => {
  let reason: string | null = null;
  const app = createOperatorServer({ register: new Registry(), notReady: () => reason });
  await app.listen({ host: '127.0.0.1', port: 0 });
  try {
    const { port } = app.server.address() as { port: number };
    const args = ['--ops-port', String(port)];
    assert.deepEqual(await readiness('router', args, CLUSTER), { ready: true, says: '{"status":"ready"}' });
    reason = 'no shard can be reached';
    const { ready, says } = await readiness('router', args, CLUSTER);
    assert.equal(ready, false);
    assert.match(says, /no shard can be reached/);
  } finally {
    await app.close();
  }
  const { ready } = await readiness('node', ['--ops-port', '1'], {});
  assert.equal(ready, false, 'nobody listens there');
});

test('settings that the role would refuse are not ready, with its sentence', async () => {
  const { ready, says } = await readiness('router', [], {});
  assert.equal(ready, false);
  assert.match(says, /ENC_TOPOLOGY_URL/);
});
