import type { RedisStore } from '../../redis/redis-store.ts';
import { LOGS, SERVER } from './keys.ts';
import { PLACE } from './scripts.ts';

/** The list of log servers is not the one that enclaves were placed by. */
export class WrongServers extends Error {}

const MOVING = 'moving';
const HOW = 'Give ENC_LOG_REDIS the list as it was, in its order, or move the enclaves with `enc admin move-logs`.';

const placeOf = (i: number, count: number): string => `${i}/${count}`;

/**
 * Which log holds an enclave follows from the list of servers alone, so each remembers its place in it. Servers that are
 * new take theirs. Throws WrongServers when another list was used before, or a move is under way.
 */
export async function checkPlaces(stores: readonly RedisStore[]): Promise<void> {
  const count = stores.length;
  const places = await Promise.all(stores.map(async (store) => text(await store.fetch('HGET', SERVER, 'place'))));
  if (places.every((place) => place === null)) {
    const filled = await Promise.all(stores.map(async (store) => Number(await store.fetch('ZCARD', LOGS)) > 0));
    if (count > 1 && filled.includes(true)) throw new WrongServers(`One of these log servers was the only one. ${HOW}`);
  } else if (places.includes(MOVING)) {
    throw new WrongServers('Enclaves are being moved between log servers: finish `enc admin move-logs` first.');
  } else if (places.some((place, i) => place !== placeOf(i, count))) {
    const said = places.map((place) => place ?? 'new').join(', ');
    throw new WrongServers(`These log servers have been told to be ${said}, not 1 to ${count} of ${count}. ${HOW}`);
  }
  await Promise.all(stores.map((store, i) => store.counted(PLACE, [SERVER], [placeOf(i, count), ''])));
}

/** Has a move begun, and not ended? */
export async function moving(stores: readonly RedisStore[]): Promise<boolean> {
  const places = await Promise.all(stores.map((store) => store.fetch('HGET', SERVER, 'place')));
  return places.some((place) => text(place) === MOVING);
}

/** Nobody may use these servers from now on, until they have places again. */
export async function beginMove(stores: readonly RedisStore[]): Promise<void> {
  await Promise.all(stores.map((store) => store.counted(PLACE, [SERVER], [MOVING, '1'])));
}

/** All enclaves are where this list has them. `left`: servers that are no longer used, free for anything. */
export async function endMove(stores: readonly RedisStore[], left: readonly RedisStore[]): Promise<void> {
  await Promise.all(left.map((store) => store.counted(PLACE, [SERVER], ['', '1'])));
  await Promise.all(stores.map((store, i) => store.counted(PLACE, [SERVER], [placeOf(i, stores.length), '1'])));
}

function text(value: unknown): string | null {
  return value === null || String(value) === '' ? null : String(value);
}
