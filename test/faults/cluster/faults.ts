import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RedisServer } from '../../parts/redis.ts';
import type { TcpProxy, Weather } from '../../parts/tcp-proxy.ts';
import { DidNotStart } from '../node-process.ts';
import { metricOf, type RouterPart, type ShardPart } from './fault-cluster.ts';
import type { ClusterRun } from './on-cluster.ts';

/** Ends what was begun. */
type Ending = () => Promise<void>;
type Fault = (run: ClusterRun) => Promise<Ending>;

export const FENCED = 'enc_append_failures_total{result="fenced"}';
/** Less than Redis uses by itself: every write is refused. */
const NO_MEMORY = '1';
/** What still fits on a full disk, bytes: less than a batch. */
const ROOM = 300;

const running = <Part extends ShardPart | RouterPart>(parts: readonly Part[]): Part[] =>
  parts.filter(({ node }) => node?.running && !node.frozen);

/** A link that carries nothing, or only one way. What it held comes through in the end, or the connections are reset. */
function broken(links: (run: ClusterRun) => TcpProxy[]): Fault {
  return async (run) => {
    const { random } = run;
    const weather = random.pick<Weather>([
      { kind: 'cut' },
      { kind: 'half', through: 'there' },
      { kind: 'half', through: 'back' },
    ]);
    const chosen = links(run);
    for (const link of chosen) link.weather = weather;
    run.tally.add(`link ${weather.kind}`);
    return async () => {
      const late = random.chance(0.5);
      for (const link of chosen) late ? link.thaw() : link.mend();
    };
  };
}

/** Whoever held the enclaves of a shard that nobody reached must find its appends refused. */
function fencing(fault: Fault): Fault {
  return async (run) => {
    const before = await run.cluster.count(FENCED);
    const end = await fault(run);
    return async () => {
      await end();
      run.tally.add('zombie append refused', (await run.cluster.count(FENCED)) - before);
    };
  };
}

/** While Redis is away a part refuses to start and says why: FaultCluster.mend starts it, as whoever supervises it would. */
function startedAgain(start: () => Promise<void>, tally: ClusterRun['tally']): Ending {
  return async () => {
    try {
      await start();
    } catch (error) {
      if (!(error instanceof DidNotStart && error.ended.code === 1 && /Redis .*(does|did) not answer/.test(error.said)))
        throw error;
      tally.add('start refused: Redis is away');
    }
  };
}

async function frozen(part: Pick<RedisServer, 'freeze' | 'thaw'>): Promise<Ending> {
  part.freeze();
  return async () => part.thaw();
}

/** Everything that can go wrong in a cluster: each begins, and ends when it is told to. */
export const FAULTS = {
  'shard killed': async ({ cluster, random, tally }) => {
    const alive = running(cluster.shards);
    if (alive.length === 0) return async () => {};
    const part = random.pick(alive);
    await cluster.kill(part);
    tally.add('kill -9 of a shard');
    return startedAgain(() => cluster.startShard(part), tally);
  },
  'shard frozen': async ({ cluster, random, tally }) => {
    const { node } = running(cluster.shards).at(random.int(0, 1)) ?? {};
    if (!node) return async () => {};
    const before = await metricOf(node, FENCED);
    node.freeze();
    return async () => {
      node.thaw();
      tally.add('frozen shard came back');
      tally.add('zombie append refused', (await metricOf(node, FENCED)) - before);
    };
  },
  'router killed': async ({ cluster, random, tally }) => {
    const alive = running(cluster.routers);
    if (alive.length === 0) return async () => {};
    const part = random.pick(alive);
    await cluster.kill(part);
    tally.add('kill -9 of a router');
    return startedAgain(() => cluster.startRouter(part), tally);
  },
  'shard cut off from all routers': fencing(broken(({ cluster, random }) => [...random.pick(cluster.shards).links])),
  'shard cut off from one router': fencing(
    broken(({ cluster, random }) => [random.pick(random.pick(cluster.shards).links)]),
  ),
  'shard cut off from the log': fencing(broken(({ cluster, random }) => [random.pick(cluster.shards).toLog])),
  'shard cut off from the guard': fencing(broken(({ cluster, random }) => [random.pick(cluster.shards).toGuard])),
  'router cut off from its clients': async ({ cluster, random, tally }) => {
    const { door } = random.pick(cluster.routers);
    door.weather = random.pick<Weather>([{ kind: 'cut' }, { kind: 'half', through: 'there' }]);
    tally.add('link cut');
    return async () => door.mend();
  },
  'links reset': async ({ cluster, random, tally }) => {
    for (const { toLog, toGuard, links } of cluster.shards)
      for (const link of [toLog, toGuard, ...links]) if (random.chance(0.5)) link.reset();
    for (const { door, toTopology } of cluster.routers)
      for (const link of [door, toTopology]) if (random.chance(0.5)) link.reset();
    tally.add('links reset');
    return async () => {};
  },
  'links slow': async ({ cluster, random, tally }) => {
    const links = cluster.shards.flatMap(({ toLog, toGuard, links }) => [toLog, toGuard, ...links]);
    const chosen = links.filter(() => random.chance(0.6));
    for (const link of chosen) link.weather = { kind: 'slow', ms: random.int(10, 150) };
    tally.add('link slow', chosen.length);
    return async () => {
      for (const link of chosen) link.thaw();
    };
  },
  'log unreachable': async ({ cluster }) => {
    const links = cluster.shards.map(({ toLog }) => toLog);
    for (const link of links) link.weather = { kind: 'cut' };
    return async () => {
      for (const link of links) link.mend();
    };
  },
  'log frozen': ({ cluster }) => frozen(cluster.log.primary),
  'log killed': async ({ cluster }) => {
    await cluster.log.primary.kill();
    return async () => void (await cluster.log.primary.start());
  },
  'log out of memory': ({ cluster }) => outOfMemory(cluster.log.primary),
  'log disk full': ({ cluster }) => diskFull(cluster.log.primary),
  'guard frozen': ({ cluster }) => frozen(cluster.guard),
  'guard killed': async ({ cluster }) => {
    await cluster.guard.kill();
    return async () => void (await cluster.guard.start());
  },
  'guard out of memory': ({ cluster }) => outOfMemory(cluster.guard),
} satisfies Record<string, Fault>;
export type FaultName = keyof typeof FAULTS;

/** Faults that leave some shards without anything: nothing new may be acknowledged by them. */
export const STORE_FAULTS = [
  'log unreachable',
  'log frozen',
  'log killed',
  'log out of memory',
  'log disk full',
  'guard frozen',
  'guard killed',
  'guard out of memory',
] as const satisfies readonly FaultName[];

export const CUTS = [
  'shard cut off from all routers',
  'shard cut off from one router',
  'shard cut off from the log',
  'shard cut off from the guard',
] as const satisfies readonly FaultName[];

/**
 * The server's file may grow by a little more, and not a byte further: Redis ends when it can't write, with half a command
 * in its file. Room again: it is started anew.
 */
async function diskFull(server: RedisServer): Promise<Ending> {
  if (!server.answers) return async () => {};
  const folder = join(server.folder, 'appendonlydir');
  const sizes = readdirSync(folder).map((name) => statSync(join(folder, name)).size);
  await promisify(execFile)('prlimit', ['--pid', String(server.pid), `--fsize=${Math.max(...sizes) + ROOM}`]);
  return async () => {
    await server.kill();
    await server.start();
  };
}

async function outOfMemory(server: RedisServer): Promise<Ending> {
  if (!server.answers) return async () => {};
  await server.call('CONFIG', 'SET', 'maxmemory', NO_MEMORY);
  return async () => void (await server.call('CONFIG', 'SET', 'maxmemory', '0'));
}
