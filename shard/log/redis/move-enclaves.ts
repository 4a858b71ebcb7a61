import type { RedisStore } from '../../redis/redis-store.ts';
import type { Arg } from '../../redis/script.ts';
import type { LogKey } from '../enclave-log.ts';
import { keyOf, prefixOf } from '../row-keys.ts';
import { logOf } from '../split-log.ts';
import { copyKey, sameKey } from './copy-key.ts';
import { decodeHeadRow, HEAD_ROW, type HeadRow } from './head-row.ts';
import { DUE, deletesKey, ERASURES, keysOf, LOGS, laneKey, MOVING, SERVER } from './keys.ts';
import { GUARD, MOVE_IN, MOVE_OUT, MOVED } from './scripts.ts';

export interface MoveOptions {
  /** the servers as they were, in their order */
  readonly before: readonly RedisStore[];
  /** as they are to be; a server that stays is the same store in both */
  readonly after: readonly RedisStore[];
  readonly onProgress?: (moved: number) => void;
  /** stops between two enclaves; the next call goes on from there */
  readonly signal?: AbortSignal;
}

const PAGE = 256;

/**
 * Moves the enclaves that another server holds when their number changes: exactly those that jump hash moves. It may be
 * stopped at any point, by a crash too, and called again with the same servers. Nodes that still use the old list lose an
 * enclave when its move begins; nodes with the new list find it when it has ended; until then it is 'unavailable' to both.
 * For each enclave, and what a crash right after each step means:
 *   1. it leaves its server: nobody can append to it any more. Its member is in `moving`: the next call goes on.
 *   2. its keys are copied; the lane hash comes with the mark of the one that left, so nobody can open it there. Again.
 *   3. both sides are read and compared. Again.
 *   4. it begins on the new server, durably. The next call finds it there and does step 5 only.
 *   5. what is left on the old one goes, but for a mark.
 * Resolves with the number of enclaves moved. Rejects when a server is unavailable, or names the enclave that differs.
 */
export async function moveEnclaves(options: MoveOptions): Promise<number> {
  const { before, after, signal } = options;
  await shareGuard([...before, ...after]);
  let moved = 0;
  for (const source of before) {
    for (const set of [MOVING, LOGS]) {
      for await (const key of members(source, set)) {
        if (signal?.aborted) return moved;
        const target = after[logOf(key.enclave, after.length)] as RedisStore;
        if (target === source && set === LOGS) continue;
        await moveOne(key, source, target);
        moved++;
        options.onProgress?.(moved);
      }
    }
  }
  return moved;
}

/** New servers belong to the guard of the others. */
async function shareGuard(stores: readonly RedisStore[]): Promise<void> {
  const ids = await Promise.all(stores.map((store) => store.fetch('HGET', SERVER, 'guard')));
  const id = ids.find((one) => one !== null);
  if (id === undefined) return;
  for (const [i, store] of stores.entries()) if (ids[i] === null) await store.counted(GUARD, [SERVER], [id as Buffer]);
}

async function* members(store: RedisStore, set: string): AsyncGenerator<LogKey> {
  let start: Arg = '-';
  for (;;) {
    const page = (await store.fetch('ZRANGE', set, start, '+', 'BYLEX', 'LIMIT', '0', String(PAGE))) as Buffer[];
    for (const member of page) yield keyOf(member, 0);
    const last = page.at(-1);
    if (last === undefined) return;
    start = Buffer.concat([Buffer.from('('), last]);
  }
}

async function moveOne(key: LogKey, source: RedisStore, target: RedisStore): Promise<void> {
  const prefix = prefixOf(key);
  const lane = laneKey(key);
  const left = (await source.counted(MOVE_OUT, [lane, LOGS, DUE, ERASURES, MOVING], [prefix])) as Buffer | null;
  if (left === null || left.length !== HEAD_ROW) throw differs(key, 'has no head on the server that it leaves');
  const row = decodeHeadRow(Buffer.from(left), prefix);
  const keys = [...keysOf(lane, row.head), deletesKey(lane)];
  if (source === target) return begin(key, row, source);
  if (!(await begun(key, row, target))) {
    for (const name of keys) await copyKey(name, source, target);
    for (const name of keys)
      if (!(await sameKey(name, source, target))) throw differs(key, `differs in ${name} after it was copied`);
  }
  await begin(key, row, target);
  await source.counted(MOVED, [lane, MOVING, SERVER, ...keys.slice(1)], [prefix, String(Date.now())]);
}

async function begin(key: LogKey, left: HeadRow, target: RedisStore): Promise<void> {
  const lane = laneKey(key);
  const keys = [lane, LOGS, DUE, ERASURES, deletesKey(lane), MOVING];
  const written = await target.counted(MOVE_IN, keys, [prefixOf(key), left.row, String(left.dueAt)]);
  if (written !== 1) throw differs(key, 'was changed on the server that it goes to');
}

/** True if it has begun there: an earlier call came so far. */
async function begun(key: LogKey, left: HeadRow, target: RedisStore): Promise<boolean> {
  const bytes = (await target.fetch('HGET', laneKey(key), 'h')) as Buffer | null;
  if (bytes === null) return false;
  const row = decodeHeadRow(Buffer.from(bytes), prefixOf(key));
  if (row.head.seq >= left.head.seq && row.epoch.counter > left.epoch.counter) return true;
  throw differs(key, 'is on both servers, each with a history of its own');
}

function differs(key: LogKey, what: string): Error {
  return new Error(`Enclave ${Buffer.from(key.enclave).toString('hex')} lane ${key.lane} ${what}.`);
}
