import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TEMPLATES } from '../../cli/templates.ts';
import { EncClient } from '../../client/client.ts';
import { keyFromSecret } from '../../client/keys.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { missing, type RedisServer, startRedis } from '../parts/redis.ts';
import { type RedisAddresses, TestCluster } from './test-cluster.ts';

const ENC = fileURLToPath(new URL('../../bin/enc.mjs', import.meta.url));
const secp = openSecp256k1();
const alice = keyFromSecret(new Uint8Array(32).fill(11), secp);
const manifest = (TEMPLATES['personal'] as (owner: string) => Record<string, unknown>)(alice.id);
const urlOf = ({ host, port }: RedisServer): string => `redis://${host}:${port}`;

test('a cluster whose guard is lost starts again when its operator vouches for the log', {
  skip: missing,
}, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'enc-guard-lost-'));
  const servers = await Promise.all(Array.from({ length: 4 }, () => startRedis()));
  t.after(async () => {
    await Promise.all(servers.map((server) => server.remove()));
    rmSync(data, { recursive: true, force: true });
  });
  const [a, b, lost, fresh] = servers.map(urlOf) as [string, string, string, string];
  const redis = (guard: string): RedisAddresses => ({ log: `${a},${b}`, guard, topology: a });
  const start = (guard: string) => TestCluster.start({ data, shards: 2, redis: redis(guard) });
  const adopt = (...args: string[]) =>
    spawnSync(
      process.execPath,
      [ENC, 'admin', 'guard', 'adopt', '--log-redis', `${a},${b}`, '--guard-redis', fresh, ...args],
      { encoding: 'utf8' },
    );
  const ids: string[] = [];
  {
    await using cluster = await start(lost);
    const client = new EncClient(cluster.url, { secp });
    for (let n = 0; n < 4; n++) {
      const { enclave } = await client.create(alice, { ...manifest, nonce: String(n) });
      await enclave.commit('note', { text: 'before' });
      ids.push(enclave.id);
    }
  }
  await assert.rejects(start(fresh), /not the one that this log was written with/);
  const doubted = adopt();
  assert.equal(doubted.status, 2);
  assert.match(doubted.stderr, /--yes/);
  const adopted = adopt('--yes');
  assert.equal(adopted.status, 0, adopted.stderr);
  assert.match(adopted.stdout, /adopted {2}4 enclaves/);
  await using cluster = await start(fresh);
  for (const id of ids) {
    const enclave = new EncClient(cluster.url, { secp }).enclave(id, { key: alice });
    assert.equal((await enclave.commit('note', { text: 'after' })).seq, 2);
  }
});
