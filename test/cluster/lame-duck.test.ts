import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import { waitFor } from '../parts/wait-for.ts';
import { TestCluster } from './test-cluster.ts';

/** Long enough for all that is looked at meanwhile. */
const LAME_DUCK_MS = 1500;

/** GET / over this agent's connections. */
function get(url: string, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(response));
    });
    sent.once('error', reject);
    sent.end();
  });
}

test('a router that is to go says so first, goes on serving, and ends connections with their next answer', async () => {
  await using cluster = await TestCluster.start({
    shards: 1,
    routerFlags: ['--ops-port', '0', '--lame-duck-ms', String(LAME_DUCK_MS)],
  });
  const { url, operatorUrl, stop } = cluster.routers[0]!;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  assert.equal((await get(url, agent)).headers.connection, 'keep-alive');
  assert.equal((await fetch(`${operatorUrl}/readyz`)).status, 200);
  const stopped = stop();
  assert.equal((await fetch(`${operatorUrl}/readyz`)).status, 503);
  const kept = await get(url, agent);
  assert.deepEqual([kept.statusCode, kept.headers.connection], [200, 'close']);
  const fresh = await get(url, new Agent());
  assert.deepEqual([fresh.statusCode, fresh.headers.connection], [200, 'close']);
  await stopped;
  await waitFor('the closed door', 1000, () =>
    get(url, new Agent()).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
    ),
  );
  agent.destroy();
  cluster.routers.splice(0);
});
