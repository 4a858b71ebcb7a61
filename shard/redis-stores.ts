import type { Logger } from 'pino';
import type { RedisStoresConfig } from './config/cluster-config.ts';
import type { Config } from './config/config.ts';
import type { Backend } from './crypto/backend.ts';
import { checkGuard } from './guard/adopt.ts';
import { openRedisGuard } from './guard/redis/redis-guard.ts';
import { openRedisLog } from './log/redis/index.ts';
import { openRedis, type StoreState } from './redis/redis-store.ts';
import { KEY_STORE_SCRIPTS, RedisKeyStore } from './signer/redis/redis-key-store.ts';
import { openSigner } from './signer/signer.ts';
import type { StoreHooks, Stores } from './stores.ts';

/** key of the write that keeps an idle connection honest (shard/redis) */
const KEYS_BEAT = 'enc:keys:beat';

/** Opens the stores that the shards of a cluster share: log and guard, each in a Redis of its own. */
export async function openRedisStores(
  config: Config,
  redis: RedisStoresConfig,
  secp: Backend,
  hooks: StoreHooks,
): Promise<Stores> {
  const { logger } = hooks;
  const keys = await openRedis({
    settings: { ...redis.log, allowUnsafe: redis.allowUnsafe },
    scripts: KEY_STORE_SCRIPTS,
    beatKey: KEYS_BEAT,
    onState: told(logger, 'keys'),
  });
  const signer = await openSigner({
    dir: config.folders.keys,
    backend: secp,
    store: new RedisKeyStore(() => keys),
    maxUnwrapped: config.enclaves.maxActive,
  });
  let logServer = '';
  const log = await openRedisLog({
    settings: { ...redis.log, allowUnsafe: redis.allowUnsafe },
    checkpointKey: signer.checkpointKey(),
    onState: told(logger, 'log', (runId) => {
      logServer = runId;
    }),
    onFailure: (reason) => logger.error({ reason }, 'the log could not do what is to be done'),
  });
  const guard = await openRedisGuard({
    settings: { ...redis.guard, allowUnsafe: redis.allowUnsafe },
    logServers: () => [logServer],
    allowShared: redis.allowShared,
    onState: told(logger, 'guard'),
  });
  const stores = { log: hooks.wrapLog?.(log) ?? log, guard: hooks.wrapGuard?.(guard) ?? guard, signer };
  await checkGuard(stores.log, stores.guard);
  const close = async (): Promise<void> => {
    await log.close();
    await guard.close();
    await signer.close();
    await keys.close();
  };
  return { ...stores, close };
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
