import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LocalCluster } from '../../cluster/local/local-cluster.ts';
import { candidates } from '../../cluster/topology/topology.ts';
import { unhex } from '../../protocol/hex.ts';
import { manifest, owner, receipted } from '../api/enclave.ts';
import { exchange, type RawAnswer } from '../api/http.ts';
import { founding, json, sign } from '../api/people.ts';
import { missing } from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';

const SHARDS = 2;
/** What a commit may take while its shard fails: until its heartbeat is over, and then to be opened elsewhere, ms. */
const FAIL_OVER_MS = 5000;

const post = (url: string, body: string): Promise<RawAnswer> => exchange(url, { method: 'POST', path: '/', body });
const firstChoice = (enclave: string): number => candidates(unhex(enclave), SHARDS).next().value as number;

describe('a cluster of processes', { skip: missing }, () => {
  const data = mkdtempSync(join(tmpdir(), 'enc-processes-'));
  const said: string[] = [];
  let cluster: LocalCluster;
  let url = '';

  before(async () => {
    const options = { shards: SHARDS, host: '127.0.0.1', port: 0, data, redis: null, guard: null };
    const env = { ...process.env, ENC_LOG_LEVEL: 'fatal', ENC_CRYPTO_WORKERS: '1' };
    const started = await LocalCluster.start({ ...options, env }, (line) => said.push(line));
    cluster = started.cluster;
    url = started.url;
    process.once('exit', () => cluster.kill());
  });
  after(async () => {
    await cluster?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  const found = async (shard: number): Promise<string> => {
    for (;;) {
      const commit = founding(owner, manifest(), { exp: Date.now() + 60_000 });
      if (firstChoice(commit.enclave) !== shard) continue;
      receipted(await post(url, json(commit)), commit);
      return commit.enclave;
    }
  };
  const note = async (enclave: string): Promise<number> => {
    const commit = sign(owner, enclave, 'note', { at: Date.now() }, { exp: Date.now() + 60_000 });
    return receipted(await post(url, json(commit)), commit).seq;
  };
  const pid = (shard: number): number => cluster.pids(new RegExp(`^shard ${shard}$`))[0] as number;

  test('a shard that hangs holds up nobody else, and its enclaves go on at another', async () => {
    const [hung, healthy] = [await found(0), await found(1)];
    assert.equal(await note(healthy), 1);
    const stopped = pid(0);
    process.kill(stopped, 'SIGSTOP');
    try {
      const begun = performance.now();
      const moved = note(hung);
      let others = 0;
      let done = false;
      void moved.finally(() => {
        done = true;
      });
      while (!done) assert.equal(await note(healthy), 2 + others++);
      assert.equal(await moved, 1);
      assert.ok(performance.now() - begun < FAIL_OVER_MS);
      assert.ok(others > 50, `only ${others} commits of the healthy shard while the other hung`);
      assert.equal(await note(hung), 2);
    } finally {
      process.kill(stopped, 'SIGCONT');
    }
    // Awake again, it still believes that the enclave is its own: it must learn that it is not.
    for (let seq = 3; seq < 23; seq++) assert.equal(await note(hung), seq);
  });

  test('a shard that is killed is started again, and nothing that it acknowledged is lost', async () => {
    const enclave = await found(1);
    let seq = 0;
    const until = performance.now() + 1500;
    setTimeout(() => process.kill(pid(1), 'SIGKILL'), 300);
    while (performance.now() < until) assert.equal(await note(enclave), ++seq);
    await waitFor('its return', 10_000, () => said.some((line) => /^shard 1 ended \(SIGKILL\)/.test(line)));
    assert.equal(await note(enclave), seq + 1);
  });

  test('redis-server that is killed is started again on the same port, and commits go on', async () => {
    const enclave = await found(0);
    const before = said.length;
    process.kill(-(cluster.pids(/^redis-log$/)[0] as number), 'SIGKILL');
    await waitFor('redis to come back', 10_000, () => said.slice(before).some((line) => /^redis-log: /.test(line)));
    await waitFor('a commit', 10_000, async () => (await note(enclave)) > 0);
  });
});
