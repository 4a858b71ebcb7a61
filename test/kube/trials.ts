import type { Release, Store } from './release.ts';
import type { Trial } from './verdict.ts';

/** Something that is done to the cluster under load. Resolves when the cluster is whole again. */
export interface CarriedOut extends Trial {
  readonly run: (release: Release) => Promise<void>;
}

/**
 * The most that a commit may wait, ms, for the worst enclave. What is planned hands over; what dies is noticed first: a
 * shard by its heartbeat (2 s), a Redis primary by its Sentinels (redis.sentinel.downAfterMs). A machine that does all of it
 * at once on two cores needs several times what a cluster needs.
 */
const PLANNED = 10_000;
const SHARD_DIES = 10_000;
const PRIMARY_DIES = 25_000;

const SERVERS = 3;
const both: readonly Store[] = ['redis-log', 'redis-guard'];

export const QUICK: readonly CarriedOut[] = [
  { label: 'a shard pod deleted', most: PLANNED, run: (release) => release.delete('shard', 0) },
];

/** In an order in which each leaves behind what the next one needs: three shards, then four, then two. */
export const ALL: readonly CarriedOut[] = [
  { label: 'a shard process killed', most: SHARD_DIES, run: (release) => release.kill('shard', 1, 'shard/main.ts') },
  { label: 'a shard pod deleted', most: PLANNED, run: (release) => release.delete('shard', 0) },
  {
    label: "the log's Redis primary deleted",
    most: PRIMARY_DIES,
    run: async (release) => release.delete('redis-log', await release.primary('redis-log', SERVERS)),
  },
  {
    label: "the guard's Redis primary dead at once",
    most: PRIMARY_DIES,
    run: (release) => endAtOnce(release, 'redis-guard'),
  },
  {
    label: 'routers and shards restarted one by one',
    most: PLANNED,
    run: (release) => release.restart('router', 'shard'),
  },
  { label: 'Redis restarted one by one', most: PRIMARY_DIES, run: (release) => release.restart(...both) },
  { label: '3 shards, now 4', most: PLANNED, run: (release) => release.upgrade(shards(4)) },
  { label: '4 shards, now 2', most: PLANNED, run: (release) => release.upgrade(shards(2)) },
  {
    label: 'upgrade: another setting',
    most: PLANNED,
    run: (release) => release.upgrade([...shards(2), '--set', 'settings.ENC_LOG_LEVEL=warn']),
  },
  { label: 'rollback', most: PLANNED, run: (release) => release.rollback() },
];

const shards = (count: number): string[] => ['--set', `shard.replicas=${count}`];

/** The primary ends without handing over and without waiting for its replicas; its pod stays and starts it again. */
async function endAtOnce(release: Release, store: Store): Promise<void> {
  const ordinal = await release.primary(store, SERVERS);
  const restarts = await release.restarts(store, ordinal);
  // It does not answer any more, which is an error here.
  await release.redis(store, ordinal, 'SHUTDOWN NOSAVE NOW FORCE').catch(() => {});
  await release.restartedSince(store, ordinal, restarts);
  await release.settled(store);
}
