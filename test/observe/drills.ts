import assert from 'node:assert/strict';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WebSocket } from 'ws';
import type { AlertName } from '../../deploy/observability/rules/groups.ts';
import { unhex } from '../../protocol/hex.ts';
import { shardOf } from '../../protocol/jump.ts';
import { objectName } from '../../shard/log/archive/archived-object.ts';
import { laneKey } from '../../shard/log/redis/keys.ts';
import type { RunningShard } from '../../shard/shard.ts';
import { exchange } from '../api/http.ts';
import { waitFor } from '../parts/wait-for.ts';
import { startAstrayRouter, startFaultyNode } from './astray.ts';
import type { House } from './house.ts';
import { Traffic } from './traffic.ts';

const DEADLINE_MS = 30_000;
const HOURS = 3_600_000;

export interface Scene {
  readonly house: House;
  readonly node: Traffic;
  readonly cluster: Traffic;
}

/** Something that goes wrong, the alerts that tell of it, and what ends it. */
export interface Drill {
  readonly what: string;
  readonly alerts: readonly AlertName[];
  /** those of them that end by themselves as soon as it is mended; counters tell of the past for a while */
  readonly end: readonly AlertName[];
  /** Makes it go wrong. The alerts may only then be seen while `again` is called. */
  provoke(scene: Scene): Promise<{ readonly again?: () => Promise<unknown>; readonly mend?: () => Promise<unknown> }>;
}

/** Many commits at once, whatever becomes of them. */
async function burst({ cluster }: Scene, commits: number): Promise<void> {
  const { enclaves } = cluster;
  await Promise.all(
    Array.from({ length: commits }, (_, i) => cluster.post('/', cluster.note(enclaves[i % enclaves.length]?.id ?? ''))),
  );
}

/** Until commits are acknowledged again. */
const healed = ({ cluster }: Scene): Promise<unknown> =>
  waitFor('a receipt', DEADLINE_MS, async () => {
    for (const { id } of cluster.enclaves) if ((await cluster.post('/', cluster.note(id))).status !== 200) return false;
    return true;
  });

export const DRILLS: readonly Drill[] = [
  {
    what: 'a router of another version, with another topology store',
    alerts: ['EncTopologiesDiffer', 'EncVersionsDiffer', 'EncTopologyStoreUnreachable', 'EncRouterCutOff'],
    end: ['EncTopologiesDiffer', 'EncVersionsDiffer', 'EncTopologyStoreUnreachable', 'EncRouterCutOff'],
    async provoke({ house }) {
      const router = await startAstrayRouter(house);
      house.others.push({ job: 'router', instance: 'router-1', url: router.operatorUrl });
      house.prometheus.target(house.targets);
      const mend = async (): Promise<void> => {
        house.others.pop();
        house.prometheus.target(house.targets);
        await router.stop();
      };
      return { mend };
    },
  },
  {
    what: 'somebody without the link secret',
    alerts: ['EncLinksRefused'],
    end: [],
    async provoke({ house }) {
      const { url } = house.cluster.shards.get(0) as RunningShard;
      const refused = Array.from(
        { length: 5 },
        () =>
          new Promise((resolve) => {
            const socket = new WebSocket(url);
            socket.once('message', () => socket.send(Buffer.alloc(80)));
            socket.once('close', resolve);
            socket.on('error', () => {});
          }),
      );
      await Promise.all(refused);
      return {};
    },
  },
  {
    what: 'more at once than may be under way',
    alerts: ['EncOverloaded'],
    end: [],
    async provoke({ node }) {
      const id = node.enclaves[0]?.id ?? '';
      const note = node.note(id, 'x'.repeat(150_000));
      const again = (): Promise<unknown> => Promise.all(Array.from({ length: 12 }, () => node.post('/', `[${note}]`)));
      return { again };
    },
  },
  {
    what: 'an event loop that is held up',
    alerts: ['EncEventLoopLate'],
    end: ['EncEventLoopLate'],
    async provoke() {
      const again = async (): Promise<void> => {
        // Longer than the alert's limit, and not so long that Prometheus gives up.
        for (const until = performance.now() + 400; performance.now() < until; );
      };
      return { again };
    },
  },
  {
    what: 'a Redis that is slow',
    alerts: ['EncStoreSlow', 'EncCommitsSlowFast', 'EncCommitsSlowSlowly'],
    end: [],
    async provoke(scene) {
      const { log } = scene.house;
      const again = async (): Promise<void> => {
        log.freeze();
        setTimeout(() => log.thaw(), 500);
        await burst(scene, 60);
      };
      return { again };
    },
  },
  {
    what: 'a Redis with little memory',
    alerts: ['EncRedisMemory'],
    end: ['EncRedisMemory'],
    async provoke({ house: { log } }) {
      const used = Number(await log.info('used_memory'));
      await log.call('CONFIG', 'SET', 'maxmemory', String(Math.ceil(used * 1.1)));
      return { mend: () => log.call('CONFIG', 'SET', 'maxmemory', '512mb') };
    },
  },
  {
    what: 'the Redis of the guard hangs and dies',
    alerts: ['EncRedisDown', 'EncGuardFailures', 'EncAnswersFailFast', 'EncAnswersFailSlowly'],
    end: ['EncRedisDown'],
    async provoke(scene) {
      const { guard } = scene.house;
      guard.freeze();
      const under = burst(scene, 40);
      setTimeout(() => void guard.kill(), 300);
      await under;
      const mend = async (): Promise<void> => {
        await guard.start();
        await healed(scene);
      };
      return { again: () => burst(scene, 10), mend };
    },
  },
  {
    what: 'a replica hangs and dies',
    alerts: ['EncRedisShort', 'EncAppendsUnknown', 'EncRedisFewerReplicas'],
    end: ['EncRedisFewerReplicas'],
    async provoke(scene) {
      const { replica } = scene.house;
      replica.freeze();
      await burst(scene, 10);
      await replica.kill();
      await healed(scene);
      return { mend: () => replica.start() };
    },
  },
  {
    what: 'the Redis of the log is away while enclaves are asked for',
    alerts: ['EncRedisDown', 'EncOpenFailures'],
    end: ['EncRedisDown'],
    async provoke(scene) {
      const { log } = scene.house;
      await log.kill();
      const mend = async (): Promise<void> => {
        await log.start();
        await healed(scene);
      };
      return { again: () => burst(scene, 6), mend };
    },
  },
  {
    what: 'an archive that is away',
    alerts: ['EncArchiveAway'],
    end: [],
    async provoke({ house, node }) {
      const [place, elsewhere] = [house.archive('node'), `${house.archive('node')}-elsewhere`];
      renameSync(place, elsewhere);
      writeFileSync(place, 'no folder');
      const again = (): Promise<unknown> => node.round();
      const mend = async (): Promise<void> => {
        // EncArchiveBehind says the same after an hour.
        await waitFor('bundles that wait', DEADLINE_MS, async () => {
          return (await house.prometheus.query('enc_archive_lag_seconds > 1')).length > 0;
        });
        rmSync(place);
        renameSync(elsewhere, place);
        await node.round();
        await waitFor('the archive to catch up', DEADLINE_MS, async () => {
          await node.round();
          return (await house.prometheus.query('enc_archive_lag_bundles{job="node"} == 0')).length > 0;
        });
      };
      return { again, mend };
    },
  },
  {
    what: 'something else where the next bundle belongs',
    alerts: ['EncArchiveConflict'],
    end: [],
    async provoke({ house, node }) {
      const enclave = await node.found();
      const path = join(house.archive('node'), objectName({ enclave: unhex(enclave), lane: 0 }, 0, 0));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, 'something else');
      await node.post(`/enclaves/${enclave}/close-bundle`, '');
      const mend = async (): Promise<void> => {
        rmSync(path);
        await waitFor('the bundle to be archived', DEADLINE_MS, async () => {
          await node.post('/', node.note(enclave));
          await node.post(`/enclaves/${enclave}/close-bundle`, '');
          return existsSync(path);
        });
      };
      return { mend };
    },
  },
  {
    what: 'a log that fails where nobody expects it',
    alerts: ['EncInternalErrors', 'EncCheckpointFailures', 'EncArchiveFails'],
    end: [],
    async provoke({ house }) {
      const faulty = await startFaultyNode(house);
      house.others.push({ job: 'node', instance: 'node-1', url: faulty.operatorUrl });
      house.prometheus.target(house.targets);
      const client = new Traffic(faulty.url);
      const id = await client.found();
      const again = async (): Promise<void> => {
        await exchange(faulty.url, { path: `/${id}/receipt/${'00'.repeat(32)}` });
        await client.post('/', `[${Array.from({ length: 100 }, () => client.note(id)).join(',')}]`);
        await client.post(`/enclaves/${id}/close-bundle`, '');
        // Room for one enclave: this puts the first to sleep.
        await client.found();
      };
      const mend = async (): Promise<void> => {
        house.others.pop();
        house.prometheus.target(house.targets);
        await faulty[Symbol.asyncDispose]();
      };
      return { again, mend };
    },
  },
  {
    what: 'a shard goes; what it had is opened elsewhere, ahead of the clock, and with a log that lost it',
    alerts: [
      ...(['EncProcessDown', 'EncShardMissing', 'EncLinkDown', 'EncTakeOversGoOn'] as const),
      ...(['EncClockSkew', 'EncEnclaveRegressed'] as const),
    ],
    end: ['EncProcessDown', 'EncShardMissing', 'EncLinkDown'],
    async provoke({ house, cluster }) {
      const home = (id: string): number => shardOf(unhex(id), 2);
      house.skew = 3 * HOURS;
      const of = async (shard: number): Promise<string> => {
        for (;;) {
          const id = await cluster.found();
          cluster.enclaves.pop();
          if (home(id) === shard) return id;
        }
      };
      const [ahead, lost] = [await of(1), await of(1)];
      house.skew = 0;
      await house.cluster.stopShard(1);
      const { log } = house;
      const lane = laneKey({ enclave: unhex(lost), lane: 0 });
      const tag = /\{(.+)\}/s.exec(String(lane))?.[0] ?? String(lane);
      const keys = (await log.call('KEYS', `*${tag}*`)) as string[];
      assert.ok(keys.length > 0, 'rows of the log');
      await log.call('DEL', ...keys);
      for (const id of [ahead, lost]) await exchange(cluster.url, { path: `/${id}/sth` });
      const mend = async (): Promise<void> => {
        await house.cluster.startShard(1);
        house.prometheus.target(house.targets);
      };
      return { mend };
    },
  },
];
