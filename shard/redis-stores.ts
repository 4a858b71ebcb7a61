import type { Logger } from 'pino';
import type { RedisStoresConfig } from './config/cluster-config.ts';
import type { Config } from './config/config.ts';
import type { Backend } from './crypto/backend.ts';
import { checkGuard } from './guard/adopt.ts';
import { openRedisGuard } from './guard/redis/redis-guard.ts';
import { StoredArchive } from './log/archive/archive-reader.ts';
import { openObjectStore } from './log/archive/open-store.ts';
import { openRedisLog } from './log/redis/index.ts';
import { checkPlaces } from './log/redis/places.ts';
import type { RedisLog } from './log/redis/redis-log.ts';
import { PLACE } from './log/redis/scripts.ts';
import { logOf, SplitLog } from './log/split-log.ts';
import { openRedis, type RedisStore, type StoreState } from './redis/redis-store.ts';
import { KEY_STORE_SCRIPTS, RedisKeyStore } from './signer/redis/redis-key-store.ts';
import { openSigner } from './signer/signer.ts';
import { SilentStores } from './silent-stores.ts';
import type { ArchivedLog, StoreHooks, Stores } from './stores.ts';

/** key of the write that keeps an idle connection honest (shard/redis) */
const KEYS_BEAT = 'enc:keys:beat';

/** Opens the stores that the shards of a cluster share: the log in one Redis or several, the guard in one of its own. */
export async function openRedisStores(
  config: Config,
  redis: RedisStoresConfig,
  secp: Backend,
  hooks: StoreHooks,
): Promise<Stores> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    return { ...(await open(config, redis, secp, hooks, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** `closers`: how to close what has been opened, in order. */
async function open(
  config: Config,
  redis: RedisStoresConfig,
  secp: Backend,
  hooks: StoreHooks,
  closers: (() => Promise<void>)[],
): Promise<Omit<Stores, 'close'>> {
  const { logger, metrics } = hooks;
  const settings = redis.logs.map((at) => ({ ...at, allowUnsafe: redis.allowUnsafe }));
  const count = settings.length;
  const keys = await all(
    settings.map((one, i) =>
      openRedis({
        settings: one,
        meter: metrics?.redis('keys', i),
        scripts: [...KEY_STORE_SCRIPTS, PLACE],
        beatKey: KEYS_BEAT,
        onState: told(logger, 'keys'),
      }),
    ),
  );
  closers.push(async () => void (await Promise.all(keys.map((store) => store.close()))));
  await checkPlaces(keys);
  const signer = await openSigner({
    dir: config.folders.keys,
    backend: secp,
    store: new RedisKeyStore((id) => keys[logOf(id, count)] as RedisStore),
    maxUnwrapped: config.enclaves.maxActive,
  });
  closers.push(() => signer.close());
  const reader = config.archive && new StoredArchive(await openObjectStore(config.archive), secp);
  if (reader) closers.push(() => reader.close());
  const logServers = settings.map(() => '');
  const logs = await all(
    settings.map((one, i) =>
      openRedisLog({
        settings: one,
        checkpointKey: signer.checkpointKey(),
        archive: reader,
        meter: metrics?.redis('log', i),
        onState: told(logger, 'log', (runId) => {
          logServers[i] = runId;
        }),
        onFailure: (reason) => logger.error({ reason }, 'the log could not do what is to be done'),
      }),
    ),
  );
  closers.push(async () => void (await Promise.all(logs.map((log) => log.close()))));
  const log = count === 1 ? (logs[0] as RedisLog) : new SplitLog(logs);
  const guard = await openRedisGuard({
    settings: { ...redis.guard, allowUnsafe: redis.allowUnsafe },
    logServers: () => logServers,
    allowShared: redis.allowShared,
    meter: metrics?.redis('guard'),
    onState: told(logger, 'guard'),
  });
  closers.push(() => guard.close());
  const archived: ArchivedLog | null = reader && {
    trim: async (key) => void (await (logs[logOf(key.enclave, count)] as RedisLog).trimArchived(key)),
    forget: () => reader.forget(),
  };
  const silent = new SilentStores([
    ...logs.map((one, i) => ({
      name: count === 1 ? 'log' : `log ${i + 1}`,
      heardAt: () => Math.min(one.heardAt, (keys[i] as RedisStore).heardAt),
    })),
    { name: 'guard', heardAt: () => guard.heardAt },
  ]);
  const wrapped = { log: hooks.wrapLog?.(log) ?? log, guard: hooks.wrapGuard?.(guard) ?? guard };
  const stores = { ...wrapped, signer, archived, silent };
  await checkGuard(stores.log, stores.guard);
  return stores;
}

/** All of them, or none stays open. */
async function all<T extends { close(): Promise<void> }>(opening: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(opening);
  const open = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = settled.find((one) => one.status === 'rejected');
  if (!failed) return open;
  await Promise.all(open.map((one) => one.close()));
  throw failed.reason;
}

/** Says what becomes of a connection; `on`: the run id of the server, on each new one. */
function told(logger: Logger, store: string, on: (runId: string) => void = () => {}): (state: StoreState) => void {
  return (state) => {
    if (state.kind !== 'connected') return logger.warn({ store, reason: state.reason }, 'no connection to Redis');
    on(state.facts.runId);
    const { address } = state.facts;
    logger.info({ store, server: `${address.host}:${address.port}`, replicas: state.replicas }, 'connected to Redis');
  };
}
