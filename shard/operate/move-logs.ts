import { splitPlaces } from '../../cluster/redis/redis-place.ts';
import { redisAddress } from '../config/redis-address.ts';
import { copyKey, sameKey } from '../log/redis/copy-key.ts';
import { BEAT } from '../log/redis/keys.ts';
import { moveEnclaves } from '../log/redis/move-enclaves.ts';
import { beginMove, checkPlaces, endMove, moving } from '../log/redis/places.ts';
import { DROP, SCRIPTS } from '../log/redis/scripts.ts';
import { logOf } from '../log/split-log.ts';
import { openRedis, type RedisStore } from '../redis/redis-store.ts';
import { keyRowsOf, MASTER_VERSIONS_OWNER } from '../signer/redis/redis-key-store.ts';
import { nobodyRuns } from './nobody-runs.ts';

export interface MoveLogsOptions {
  /** addresses as in ENC_LOG_REDIS: as they were, and as they are to be; a server that stays is written the same way */
  readonly before: string;
  readonly after: string;
  readonly allowUnsafe: boolean;
  readonly onProgress: (moved: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Changes the log servers of a cluster whose shards are stopped: every enclave, and every row of keys, goes to where the
 * new list has it. It may be stopped at any point, by a crash too, and called again with the same lists; shards do not
 * start on either list before it has ended. The order, and what a crash behind each step means:
 *   1. all servers are told that a move is under way. Again.
 *   2. rows of keys are copied to where they belong, and compared. Again: what was copied is copied once more.
 *   3. enclaves are moved (move-enclaves.ts).
 *   4. rows of keys that do not belong where they are go. Again: what is gone need not be copied.
 *   5. the servers get their places in the new list; those that are left out get none.
 * Resolves with what was moved. Rejects when a server is unavailable, when the lists are not those in use, or when
 * something differs.
 */
export async function moveLogs(options: MoveLogsOptions): Promise<{ enclaves: number; keys: number }> {
  const names = [...new Set([...splitPlaces(options.before), ...splitPlaces(options.after)])];
  const opened = await Promise.allSettled(names.map((name) => open(name, options.allowUnsafe)));
  try {
    const failed = opened.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
    const stores = new Map(opened.map((one, i) => [names[i] as string, (one as Fulfilled).value]));
    const listed = (list: string): RedisStore[] => splitPlaces(list).map((name) => stores.get(name) as RedisStore);
    return await move(listed(options.before), listed(options.after), options);
  } finally {
    for (const one of opened) if (one.status === 'fulfilled') await one.value.close();
  }
}

type Fulfilled = PromiseFulfilledResult<RedisStore>;

async function move(
  before: readonly RedisStore[],
  after: readonly RedisStore[],
  { onProgress, signal }: MoveLogsOptions,
): Promise<{ enclaves: number; keys: number }> {
  const all = [...new Set([...before, ...after])];
  await nobodyRuns(all);
  if (!(await moving(all))) await checkPlaces(before);
  await beginMove(all);
  let keys = 0;
  for await (const { name, source, target } of misplaced(before, after)) {
    if (signal.aborted) return { enclaves: 0, keys };
    await copyKey(name, source, target);
    if (!(await sameKey(name, source, target))) throw new Error(`${printable(name)} differs after it was copied.`);
    keys++;
  }
  const enclaves = await moveEnclaves({ before, after, signal, onProgress });
  if (signal.aborted) return { enclaves, keys };
  for await (const { name, source } of misplaced(before, after)) await source.counted(DROP, [name], []);
  await endMove(
    after,
    all.filter((store) => !after.includes(store)),
  );
  return { enclaves, keys };
}

/** Rows of keys that the new list has elsewhere. */
async function* misplaced(
  before: readonly RedisStore[],
  after: readonly RedisStore[],
): AsyncGenerator<{ name: Buffer; source: RedisStore; target: RedisStore }> {
  for (const source of before) {
    for await (const { name, id } of keyRowsOf(source)) {
      const target = after[logOf(id ?? MASTER_VERSIONS_OWNER, after.length)] as RedisStore;
      if (target !== source) yield { name, source, target };
    }
  }
}

function open(address: string, allowUnsafe: boolean): Promise<RedisStore> {
  const settings = { ...redisAddress('the list of log servers', address), allowUnsafe };
  return openRedis({ settings, scripts: SCRIPTS, beatKey: BEAT });
}

const printable = (name: Buffer): string => JSON.stringify(name.toString('latin1'));
