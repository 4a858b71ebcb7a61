import { splitPlaces } from '../../cluster/redis/redis-place.ts';
import { redisAddress } from '../config/redis-address.ts';
import { adoptGuard } from '../guard/adopt.ts';
import { openRedisGuard } from '../guard/redis/redis-guard.ts';
import { openRedisLog } from '../log/redis/index.ts';
import { BEAT } from '../log/redis/keys.ts';
import { checkPlaces } from '../log/redis/places.ts';
import type { RedisLog } from '../log/redis/redis-log.ts';
import { SCRIPTS } from '../log/redis/scripts.ts';
import { SplitLog } from '../log/split-log.ts';
import { openRedis, type RedisStore } from '../redis/redis-store.ts';
import { nobodyRuns } from './nobody-runs.ts';

export interface AdoptOptions {
  /** as ENC_LOG_REDIS and ENC_GUARD_REDIS */
  readonly logs: string;
  readonly guard: string;
  readonly allowUnsafe: boolean;
  readonly onProgress: (enclaves: number) => void;
}

/** Checkpoints are not read here, so none needs to check. */
const NO_CHECKPOINTS = new Uint8Array(32);

/**
 * For a cluster whose guard is lost and whose shards are stopped: the guard that is there, a new one as a rule, gets the
 * present head of every enclave, and the log names it last, so that a run that broke off is begun again. The caller vouches
 * that the log is complete. Resolves to the number of enclaves that got a watermark.
 */
export async function adoptRedisGuard(options: AdoptOptions): Promise<number> {
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(one: T): T => {
    opened.push(one);
    return one;
  };
  try {
    return await adopt(options, keep);
  } finally {
    for (const one of opened.reverse()) await one.close();
  }
}

async function adopt(
  { logs: list, guard: address, allowUnsafe, onProgress }: AdoptOptions,
  keep: <T extends { close(): Promise<void> }>(one: T) => T,
): Promise<number> {
  const settings = splitPlaces(list).map((one) => ({ ...redisAddress('--log-redis', one), allowUnsafe }));
  const stores: RedisStore[] = [];
  for (const one of settings) stores.push(keep(await openRedis({ settings: one, scripts: SCRIPTS, beatKey: BEAT })));
  await nobodyRuns(stores);
  await checkPlaces(stores);
  const logs: RedisLog[] = [];
  for (const one of settings) logs.push(keep(await openRedisLog({ settings: one, checkpointKey: NO_CHECKPOINTS })));
  const log = logs.length === 1 ? (logs[0] as RedisLog) : new SplitLog(logs);
  const guard = keep(await openRedisGuard({ settings: { ...redisAddress('--guard-redis', address), allowUnsafe } }));
  let adopted = 0;
  await adoptGuard(log, guard, (enclaves) => {
    adopted = enclaves;
    onProgress(enclaves);
  });
  return adopted;
}
