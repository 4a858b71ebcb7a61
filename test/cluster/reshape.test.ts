import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EncClient } from '../../client/client.ts';
import { keyFromSecret } from '../../client/keys.ts';
import { LocalCluster } from '../../cluster/local/local-cluster.ts';
import { unhex } from '../../protocol/hex.ts';
import { shardOf } from '../../protocol/jump.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { missing } from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';
import { Load } from './reshape-load.ts';

const ROUTERS = 2;
const CLIENTS = 4;
const ENCLAVES_EACH = 8;
/** What a change may take until every enclave that moves has done so, under load, ms. */
const SETTLE_MS = 20_000;

/** from, from + 1 … below `to` */
const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);

const secp = openSecp256k1();
const key = keyFromSecret(new Uint8Array(32).fill(9), secp);

describe('a cluster changes its shape under load', { skip: missing }, () => {
  const data = mkdtempSync(join(tmpdir(), 'enc-reshape-'));
  let cluster: LocalCluster;
  let load: Load;

  before(async () => {
    const env = { ...process.env, ENC_LOG_LEVEL: 'fatal', ENC_CRYPTO_WORKERS: '1', ENC_ADMIN_TOKEN: '' };
    const options = { shards: 3, routers: ROUTERS, host: '127.0.0.1', port: 0, data, redis: null, guard: null, env };
    cluster = (await LocalCluster.start(options, () => {})).cluster;
    process.once('exit', () => cluster.kill());
    const urls = Array.from({ length: ROUTERS }, (_, i) => cluster.url(i));
    load = await Load.found(urls, key, secp, CLIENTS, ENCLAVES_EACH);
    load.start();
  });
  after(async () => {
    await load?.stop();
    await cluster?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  const admin = () => new EncClient(cluster.url(), { secp }).admin();
  const metric = async (shard: number, name: string): Promise<number> => {
    const text = await (await fetch(`${cluster.operatorUrl(`shard ${shard}`)}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  };
  const sum = async (shards: number, name: string): Promise<number> =>
    (await Promise.all(Array.from({ length: shards }, (_, i) => metric(i, name)))).reduce((a, b) => a + b, 0);
  const moving = (from: number, to: number): number =>
    load.enclaves.filter(({ id }) => shardOf(unhex(id), from) !== shardOf(unhex(id), to)).length;
  /** Every client has gone round its enclaves twice. */
  const rounds = async (): Promise<void> => {
    const until = load.commits + 2 * CLIENTS * ENCLAVES_EACH;
    await waitFor('commits', SETTLE_MS, () => load.commits > until || load.errors.length > 0);
  };

  for (const [from, to] of [
    [3, 4],
    [4, 6],
    [6, 3],
  ] as const) {
    test(`${from} → ${to} shards: what jump hash moves is opened again, once, and nothing else`, async (t) => {
      await Promise.all(range(from, to).map((shard) => cluster.startShard(shard)));
      const most = Math.max(from, to);
      const before = await sum(most, 'enc_hydrate_seconds_count');
      const moved = moving(from, to);
      const { version } = await admin().setTopology(to);
      await waitFor('shards that follow', SETTLE_MS, async () =>
        (await admin().topology()).members.every((member) => member.alive && member.topology === version),
      );
      await rounds();
      // Progress: what is open in a place that it is to leave, and shards that are to go.
      const seen = await waitFor('the end of the move', SETTLE_MS, async () => {
        const { members } = await admin().topology();
        const moved = members.every(({ guests, leaving, active }) => guests === 0 && (!leaving || active === 0));
        return moved ? members : null;
      });
      assert.deepEqual(
        seen.filter(({ leaving }) => leaving).map(({ shard }) => shard),
        range(to, from),
      );
      await rounds();
      assert.equal((await sum(most, 'enc_hydrate_seconds_count')) - before, moved);
      await Promise.all(range(to, from).map((shard) => cluster.stopPart(`shard ${shard}`)));
      assert.deepEqual(load.errors, []);
      t.diagnostic(`${moved} of ${load.enclaves.length} enclaves moved, ${load.commits} commits so far`);
    });
  }

  test('every shard and router is restarted, one after the other: no commit fails', async (t) => {
    load.times = [];
    const retries = load.retries;
    for (let shard = 0; shard < 3; shard++) {
      await cluster.restartPart(`shard ${shard}`);
      await rounds();
    }
    await cluster.restartPart('router');
    await rounds();
    await cluster.restartPart('router 1');
    await rounds();
    assert.deepEqual(load.errors, []);
    const times = load.times.toSorted((a, b) => a - b);
    const at = (q: number): number => Math.round(times[Math.floor(times.length * q)] as number);
    t.diagnostic(`${times.length} commits, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${load.retries - retries} retries`);
  });

  test('nothing that was acknowledged is lost', async () => {
    await load.stop();
    assert.deepEqual(load.errors, []);
    assert.deepEqual(await load.lost(), []);
  });
});
