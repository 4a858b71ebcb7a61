import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { MemoryTopology } from '../../cluster/topology/memory-topology.ts';
import { candidates } from '../../cluster/topology/topology.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { ownerNonce } from '../../shard/ownership/owner-nonce.ts';
import { manifest, owner, receipted, stranger } from '../api/enclave.ts';
import { exchange, type RawAnswer } from '../api/http.ts';
import { founding, json, sign } from '../api/people.ts';
import { waitFor } from '../parts/wait-for.ts';
import { TestCluster } from './test-cluster.ts';

const exp = (): number => Date.now() + 60_000;
const post = (url: string, body: string): Promise<RawAnswer> => exchange(url, { method: 'POST', path: '/', body });
const first = (enclave: string, shards: number): number => candidates(unhex(enclave), shards).next().value as number;

/** A new enclave whose first choice is that shard. */
async function found(url: string, shard: number, shards: number, more: object = {}): Promise<string> {
  for (;;) {
    const commit = founding(owner, manifest(more), { exp: exp() });
    if (first(commit.enclave, shards) !== shard) continue;
    receipted(await post(url, json(commit)), commit);
    return commit.enclave;
  }
}

async function note(url: string, enclave: string, text = 'x'): Promise<number> {
  const commit = sign(owner, enclave, 'note', { text }, { exp: exp() });
  return receipted(await post(url, json(commit)), commit).seq;
}

const metric = async (operatorUrl: string, name: string): Promise<number> => {
  const text = await (await fetch(`${operatorUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
};

describe('a cluster', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start({ shards: 3 });
  });
  after(() => cluster[Symbol.asyncDispose]());
  const operator = (): string => cluster.routers[0]?.operatorUrl as string;

  test('answers an array of many enclaves in its order, each element alone', async () => {
    const enclaves = await Promise.all([0, 1, 2].map((shard) => found(cluster.url, shard, 3)));
    const commits = Array.from({ length: 30 }, (_, i) =>
      sign(owner, enclaves[i % 3] as string, 'note', { i }, { exp: i === 7 ? 1 : exp() }),
    );
    const body = `[${commits.map(json).join(',')},{"nonsense":1}]`;
    const answers = JSON.parse((await post(cluster.url, body)).body) as { error?: string; seq: number; hash: string }[];
    assert.equal(answers.length, 31);
    assert.equal(answers[7]?.error, 'expired');
    assert.equal(answers[30]?.error, 'invalid_commit');
    for (const [i, commit] of commits.entries()) if (i !== 7) assert.equal(answers[i]?.hash, commit.hash);
    for (const k of [0, 1, 2]) {
      const seqs = answers.slice(0, 30).filter((_, i) => i % 3 === k && i !== 7);
      assert.deepEqual(
        seqs.map(({ seq }) => seq),
        seqs.map((_, i) => i + 1),
      );
    }
  });

  test('a Manifest and what builds on it may come in one array', async () => {
    const commit = founding(owner, manifest(), { exp: exp() });
    const next = sign(owner, commit.enclave, 'note', {}, { exp: exp() });
    const answers = JSON.parse((await post(cluster.url, `[${json(commit)},${json(next)}]`)).body) as { seq: number }[];
    assert.deepEqual(
      answers.map(({ seq }) => seq),
      [0, 1],
    );
  });

  test('finds the enclave of a body that names others deeper down, or is written unusually', async () => {
    const [mine, other] = await Promise.all([found(cluster.url, 0, 3), found(cluster.url, 1, 3)]);
    const moved = await metric(operator(), 'enc_router_retries_total');
    const commit = sign(owner, mine, 'note', { enclave: other, more: [`"enclave":"${other}"`] }, { exp: exp() });
    const { enclave: _enclave, ...rest } = JSON.parse(json(commit)) as Record<string, unknown>;
    const { content, ...others } = rest;
    // content first, so that the wrong enclave stands before the right one
    const text = JSON.stringify({ content, ...others, enclave: mine });
    receipted(await post(cluster.url, text), commit);
    assert.equal(await metric(operator(), 'enc_router_retries_total'), moved + 1);
    const again = sign(owner, mine, 'note', { n: 2 }, { exp: exp() });
    const spaced = JSON.stringify(JSON.parse(json(again)), null, 2);
    receipted(await post(cluster.url, ` \n${spaced}\n`), again);
    const escaped = sign(owner, mine, 'note', { n: 3 }, { exp: exp() });
    receipted(await post(cluster.url, json(escaped).replace('"enclave"', '"\\u0065nclave"')), escaped);
  });

  test('gives the same receipt to a retry through another router', async () => {
    const enclave = await found(cluster.url, 2, 3);
    const commit = sign(owner, enclave, 'note', {}, { exp: exp() });
    const receipt = await post(cluster.url, json(commit));
    const other = await cluster.startRouter();
    assert.equal((await post(other.url, json(commit))).body, receipt.body);
  });

  test('the operator sees and changes the topology, and nobody else', async () => {
    const seen = await exchange(cluster.url, { path: '/cluster/topology' });
    const topology = JSON.parse(seen.body) as { version: number; members: { alive: boolean }[] };
    assert.ok(topology.members.every(({ alive }) => alive));
    const ask = (headers: Record<string, string>, body: string) =>
      exchange(cluster.url, { method: 'POST', path: '/cluster/topology', headers, body });
    assert.equal((await ask({ 'x-forwarded-for': '1.2.3.4' }, '{"shards":2}')).status, 401);
    assert.equal((await ask({}, '{"shards":0}')).status, 400);
    assert.equal((await ask({}, '{"shards":2,"more":1}')).status, 400);
    assert.equal((await ask({}, '{')).status, 400);
    assert.equal((await ask({}, `{"shards":2,"version":${topology.version + 1}}`)).status, 403);
    const now = JSON.parse((await exchange(cluster.url, { path: '/cluster/topology' })).body) as typeof topology;
    assert.equal(now.version, topology.version);
  });
});

test('while its shard drains, is gone and comes back, an enclave is served without an error', async () => {
  await using cluster = await TestCluster.start({ shards: 2 });
  const { url } = cluster;
  const enclave = await found(url, 0, 2);
  let stop = false;
  let sent = 0;
  const load = (async () => {
    let last = 0;
    while (!stop) {
      const seq = await note(url, enclave, `n${sent++}`);
      assert.equal(seq, last + 1);
      last = seq;
    }
  })();
  await waitFor('commits', 5000, () => sent > 20);
  await cluster.stopShard(0);
  const before = sent;
  await waitFor('commits at the other shard', 5000, () => sent > before + 20);
  await cluster.startShard(0);
  const then = sent;
  await waitFor('commits after its return', 5000, () => sent > then + 50);
  stop = true;
  await load;
});

test('a shard that has lost an enclave, and appends nothing, does not refuse a commit from what it remembers', async () => {
  await using cluster = await TestCluster.start({ shards: 2 });
  const { url } = cluster;
  const enclave = await found(url, 0, 2);
  const takeOvers = (): Promise<number> => metric(cluster.shards.get(0)?.operatorUrl as string, 'enc_take_overs_total');
  assert.equal(await takeOvers(), 0);
  // Shard 1 owns it from now on, and has not opened it for anybody.
  await cluster.stores.log.open({ enclave: unhex(enclave), lane: 0 }, ownerNonce(1));
  // What the log has said to an owner counts for a second.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const answer = await post(url, json(sign(stranger, enclave, 'note', {}, { exp: exp() })));
  assert.equal((JSON.parse(answer.body) as { error: string }).error, 'forbidden');
  assert.equal(await takeOvers(), 1, 'it has read the log before it said so');
});

test('a shard that has lost an enclave while it was still opening it says nothing before it has asked the log', async () => {
  await using cluster = await TestCluster.start({ shards: 2, shardFlags: ['--max-active', '1'] });
  const { url } = cluster;
  const enclave = await found(url, 0, 2);
  await found(url, 0, 2);
  const { log } = cluster.stores;
  const read = log.read.bind(log);
  let taken = false;
  log.read = async (...args) => {
    if (!taken) {
      taken = true;
      await log.open({ enclave: unhex(enclave), lane: 0 }, ownerNonce(1));
      // What the log has said to an owner counts for a second.
      await new Promise((resolve) => setTimeout(resolve, 1100));
    }
    return read(...args);
  };
  const answer = await post(url, json(sign(stranger, enclave, 'note', {}, { exp: exp() })));
  assert.equal((JSON.parse(answer.body) as { error: string }).error, 'forbidden');
  assert.equal(await metric(cluster.shards.get(0)?.operatorUrl as string, 'enc_take_overs_total'), 1);
});

test('a commit that expired while a router sent it again was perhaps accepted: its caller is told that nobody knows', async () => {
  let skew = 0;
  await using cluster = await TestCluster.start({ shards: 1, now: () => Date.now() + skew });
  const { url } = cluster;
  const enclave = await found(url, 0, 1);
  const { log } = cluster.stores;
  const append = log.append.bind(log);
  log.append = (one) => {
    log.append = append;
    append({
      ...one,
      done: () => {
        skew += 120_000;
        one.done('unknown');
      },
    });
  };
  const commit = sign(owner, enclave, 'note', {}, { exp: exp() });
  const said = async (): Promise<string> =>
    (JSON.parse((await post(url, json(commit))).body) as { error: string }).error;
  assert.equal(await said(), 'unavailable');
  assert.equal(await said(), 'expired');
  const answer = await exchange(url, { path: `/${enclave}/receipt/${commit.hash}?sig=${commit.sig}` });
  receipted(answer, commit);
});

test('an only shard that has lost an enclave to nobody known is asked to take it over', async () => {
  await using cluster = await TestCluster.start({ shards: 1, routerFlags: ['--router-timeout-ms', '3000'] });
  const { url } = cluster;
  const enclave = await found(url, 0, 1);
  await cluster.stores.log.open({ enclave: unhex(enclave), lane: 0 }, ownerNonce(null));
  assert.equal(await note(url, enclave), 1);
  assert.equal(await note(url, enclave), 2);
});

test('due bundles of a shard are closed though more that are due belong to another one, which can not close them', async () => {
  await using cluster = await TestCluster.start({ shards: 2, shardFlags: ['--max-active', '1'] });
  const { log } = cluster.stores;
  const real = log.due.bind(log);
  const others = Array.from({ length: 200 }, (_, i) => createHash('sha256').update(String(i)).digest())
    .filter((id) => first(toHex(id), 2) === 1)
    .map((id) => ({ key: { enclave: new Uint8Array(id), lane: 0 }, dueAt: 1 }));
  assert.ok(others.length > 60);
  log.due = async (until, limit) => [...others, ...(await real(until, limit))].slice(0, limit);
  const closed = (): Promise<number> =>
    metric(cluster.shards.get(0)?.operatorUrl as string, 'enc_bundles_closed_total');
  await found(cluster.url, 0, 2, { bundle: { size: 256, timeout: 500 } });
  await found(cluster.url, 0, 2);
  await waitFor('the closing of one that sleeps', 10_000, async () => (await closed()) === 1);
});

test('a shard that gets no answers from the topology store gives no sign of life, though its heartbeats would arrive', async () => {
  await using cluster = await TestCluster.start({ shards: 1 });
  const { topology } = cluster;
  const alive = async (): Promise<number> => (await MemoryTopology.prototype.look.call(topology)).beats.size;
  assert.equal(await alive(), 1);
  topology.look = () => Promise.reject(new Error('no answer'));
  await waitFor('the heartbeat to be over', 6000, async () => (await alive()) === 0);
  topology.look = MemoryTopology.prototype.look;
  await waitFor('a heartbeat', 6000, async () => (await alive()) === 1);
});

test('a router that knows an older topology, and one that knows a newer, both get their answers', async () => {
  await using cluster = await TestCluster.start({ shards: 3 });
  await cluster.topology.publish(1, 2);
  const enclaves = await Promise.all(Array.from({ length: 6 }, (_, i) => found(cluster.url, i % 2, 2)));
  // Another view of the cluster: it has missed the change, and learns of it from the shards.
  const late = await cluster.startRouter({ version: 1, shards: 3, before: 0 });
  await Promise.all(
    enclaves.flatMap((enclave) =>
      [cluster.url, late.url].map(async (url) => {
        for (let i = 0; i < 10; i++) await note(url, enclave, `${url} ${i}`);
      }),
    ),
  );
  const moved = await metric(late.operatorUrl, 'enc_router_moved_total');
  assert.ok(moved < 60, `${moved} requests were sent elsewhere`);
  assert.equal(await metric(late.operatorUrl, 'enc_router_topology_version'), 2);
});

test('growing moves what jump hash moves, on first use, and nothing is lost', async () => {
  await using cluster = await TestCluster.start({ shards: 2 });
  const { url } = cluster;
  const enclaves: string[] = [];
  for (let i = 0; i < 24; i++) enclaves.push(await found(url, i % 2, 2));
  await cluster.startShard(2);
  await cluster.topology.publish(1, 3);
  const router = cluster.routers[0]?.operatorUrl as string;
  await waitFor('the news', 5000, async () => (await metric(router, 'enc_router_topology_version')) === 2);
  for (const [i, enclave] of enclaves.entries()) assert.equal(await note(url, enclave), 1, `${i}`);
  const moved = enclaves.filter((enclave) => first(enclave, 3) !== first(enclave, 2));
  assert.ok(moved.length > 0);
  const opened = await metric(cluster.shards.get(2)?.operatorUrl as string, 'enc_active_enclaves');
  assert.equal(opened, moved.length);
});

test('with no shard at all: what is wrong by itself is said so, the rest is unavailable in time', async () => {
  await using cluster = await TestCluster.start({ shards: 1, routerFlags: ['--router-timeout-ms', '1500'] });
  const enclave = await found(cluster.url, 0, 1);
  await cluster.stopShard(0);
  const commit = json(sign(owner, enclave, 'note', {}, { exp: exp() }));
  const answer = await post(cluster.url, commit);
  assert.equal((JSON.parse(answer.body) as { error: string }).error, 'unavailable');
  assert.equal(answer.status, 503);
  assert.equal(answer.headers['retry-after'], '1');
  const wrong = await post(cluster.url, commit.replace('"exp"', '"exq"'));
  assert.equal((JSON.parse(wrong.body) as { error: string }).error, 'invalid_commit');
  assert.equal((await exchange(cluster.routers[0]?.operatorUrl as string, { path: '/readyz' })).status, 503);
});
