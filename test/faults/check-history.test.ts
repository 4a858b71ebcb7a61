import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Event } from '../../protocol/event.ts';
import { keySeed, sequencerSecret } from '../../protocol/hash.ts';
import { unhex } from '../../protocol/hex.ts';
import { missing } from '../parts/redis.ts';
import { checkHistory } from './check-history.ts';
import { FaultCluster, type ShardPart } from './cluster/fault-cluster.ts';
import { Load } from './cluster/load.ts';
import { History } from './history.ts';
import { checkSecrets, judge } from './judge.ts';
import { NodeProcess } from './node-process.ts';
import type { View } from './outside-view.ts';
import { flip, plants, type Views } from './plants.ts';
import { Random } from './random.ts';
import { checkReplay } from './replay-both.ts';
import { putTogether, takeApart } from './snapshot-items.ts';
import { Tally } from './tally.ts';
import { secp } from './wire.ts';
import { Address, Workload } from './workload.ts';

const SEED = 'planted';
const random = new Random(SEED);
const folder = mkdtempSync(join(tmpdir(), 'enc-faults-'));
let data = '';
const BUNDLES = [
  { size: 4, timeout: 5000 },
  { size: 8, timeout: 5000 },
];
let history: History;
let views: ReadonlyMap<string, View>;

/** A real run of a single node, without faults: what the plants are put into. Returns the folder of its keys. */
async function recordNode(): Promise<string> {
  const place = join(folder, 'data');
  const node = await NodeProcess.start({ data: place });
  try {
    const address = new Address();
    address.up(node.url);
    const workload = new Workload(address, random);
    for (const bundle of BUNDLES) await workload.found(bundle);
    await Promise.all([workload.client(30), workload.client(30)]);
    await record(node.url, workload);
  } finally {
    await node.stop();
  }
  return place;
}

/** The same of a cluster, a shard of which is killed and comes back meanwhile. */
async function recordCluster(): Promise<string> {
  const cluster = await FaultCluster.start(join(folder, 'cluster'), { shards: 2, routers: 1 });
  try {
    const load = new Load(cluster.routers, random);
    await load.found(2, 1, BUNDLES);
    load.start(3);
    await load.receipts(20);
    const [part] = cluster.shards as [ShardPart];
    await cluster.kill(part);
    await load.served();
    await cluster.startShard(part);
    await load.receipts(20);
    await load.stop();
    await record(cluster.url, load.workload);
  } finally {
    await cluster.stop();
  }
  return cluster.data;
}

async function record(url: string, workload: Workload): Promise<void> {
  for (const enclave of workload.enclaves) await workload.read(enclave, -1);
  for (const enclave of workload.enclaves) for (let i = 0; i < 5; i++) await workload.ask([workload.note(enclave)]);
  const judged = await judge(url, workload.history, random, new Tally());
  assert.deepEqual(judged.violations, []);
  history = workload.history;
  views = judged.views;
}

after(() => rmSync(folder, { recursive: true, force: true }));

function copy(): { history: History; views: Views } {
  const own = new History();
  own.enclaves.push(...history.enclaves);
  own.asked.push(...history.asked.map(({ commit, attempts }) => ({ commit, attempts: structuredClone(attempts) })));
  own.lookUps.push(...history.lookUps);
  own.heads.push(...structuredClone(history.heads));
  for (const event of history.seen) own.see(event);
  return {
    history: own,
    views: new Map(
      [...views].map(([id, view]) => [
        id,
        { ...structuredClone({ ...view, snapshot: null }), snapshot: view.snapshot },
      ]),
    ),
  };
}

/** The sequencer's own key: the plants that matter most are signed. */
function secretOf(view: Pick<View, 'events'>): Uint8Array {
  const { versions } = JSON.parse(readFileSync(join(data, 'keys', 'master.json'), 'utf8')) as {
    versions: { secret: string }[];
  };
  const manifest = view.events[0] as Event;
  return sequencerSecret(unhex(versions[0]?.secret ?? ''), keySeed(unhex(manifest.from), manifest.content, []));
}

const PLANTS = plants(random, secretOf);

const RECORDED = {
  'a single node': { make: recordNode, skip: false as const },
  'a cluster that lost a shard': { make: recordCluster, skip: missing },
};

for (const [what, { make, skip }] of Object.entries(RECORDED))
  describe(`planted in the history of ${what}`, { skip }, () => {
    before(async () => {
      data = await make();
    });

    for (const [name, { expect, plant }] of Object.entries(PLANTS)) {
      test(`the judge finds ${name} (seed ${SEED})`, () => {
        const own = copy();
        plant(own);
        const found = checkHistory(own.history, own.views, secp);
        assert.ok(
          found.some((violation) => expect.test(violation)),
          `found: ${found.join('\n') || 'nothing'}`,
        );
      });
    }

    test('the judge finds nothing where nothing was planted', async () => {
      const own = copy();
      assert.deepEqual(checkHistory(own.history, own.views, secp), []);
      for (const view of own.views.values()) assert.deepEqual(await checkReplay(view), []);
    });

    test('the replay finds a snapshot with another event, without its last one, or with another state', async () => {
      const view = [...views.values()][0] as View;
      const parts = takeApart(view.snapshot);
      const last = parts.items.findLastIndex((item) => item.kind === 'event');
      const without = putTogether({ ...parts, items: parts.items.filter((_, i) => i !== last) });
      assert.match((await checkReplay({ ...view, snapshot: without })).join('\n'), /has \d+ events, the log/);
      const other = parts.items.map((item, i) =>
        i === last && item.kind === 'event' ? { ...item, seqSig: random.bytes(64) } : item,
      );
      assert.match(
        (await checkReplay({ ...view, snapshot: putTogether({ ...parts, items: other }) })).join('\n'),
        /I2 event/,
      );
      const state = view.state && { ...view.state, state_hash: flip(view.state.state_hash) };
      assert.match((await checkReplay({ ...view, state })).join('\n'), /against another state/);
      const torn = Buffer.from(view.snapshot);
      torn[torn.length >> 1] = (torn[torn.length >> 1] as number) ^ 1;
      assert.notDeepEqual(await checkReplay({ ...view, snapshot: torn }), []);
    });

    test('a secret in an output is found in raw, hex and base64 form, wherever it stands', () => {
      const { versions } = JSON.parse(readFileSync(join(data, 'keys', 'master.json'), 'utf8')) as {
        versions: { secret: string }[];
      };
      const master = Buffer.from(versions[0]?.secret ?? '', 'hex');
      const view = [...views.values()][0] as View;
      const key = Buffer.from(secretOf(view));
      assert.deepEqual(checkSecrets(data, views.values(), ['nothing to see']), []);
      for (const secret of [master, key]) {
        for (const text of [
          secret.toString('hex'),
          ...['', 'a', 'ab'].map((pad) => Buffer.concat([Buffer.from(pad), secret]).toString('base64')),
        ]) {
          assert.equal(checkSecrets(data, views.values(), [`{"key":"${text}"}`]).length, 1);
        }
        assert.equal(checkSecrets(data, [{ ...view, snapshot: Buffer.concat([view.snapshot, secret]) }], []).length, 1);
      }
    });
  });
