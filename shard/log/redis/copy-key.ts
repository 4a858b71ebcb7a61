import { createHash } from 'node:crypto';
import type { RedisStore } from '../../redis/redis-store.ts';
import type { Arg } from '../../redis/script.ts';
import { MOVE_COPY } from './scripts.ts';

/** Puts a key of one server on another, whatever is there, durably; if it is not there, it goes. */
export async function copyKey(name: Arg, source: RedisStore, target: RedisStore): Promise<void> {
  const dump = (await source.fetch('DUMP', name)) as Buffer | null;
  await target.counted(MOVE_COPY, [name], [dump === null ? '' : Buffer.from(dump)]);
}

/** True if both have the same under this name: the same value, fields or members, or nothing. */
export async function sameKey(name: Arg, a: RedisStore, b: RedisStore): Promise<boolean> {
  const [one, other] = await Promise.all([digest(name, a), digest(name, b)]);
  return one.equals(other);
}

/** Of the type and of all fields and values, or members, in order. */
async function digest(name: Arg, store: RedisStore): Promise<Buffer> {
  const type = String(await store.fetch('TYPE', name));
  const hash = createHash('sha256').update(type);
  const read = READS[type];
  if (read === undefined) return hash.digest();
  const reply = await store.fetch(read[0], name);
  const parts = (Array.isArray(reply) ? reply : [reply]) as Buffer[];
  const items: Buffer[][] = [];
  for (let i = 0; i < parts.length; i += read[1]) items.push(parts.slice(i, i + read[1]));
  for (const item of items.sort((a, b) => Buffer.compare(a[0] as Buffer, b[0] as Buffer)))
    for (const part of item) hash.update(String(part.length)).update(part);
  return hash.digest();
}

/** By type: what reads all of it, and how many replies are one item. */
const READS: Readonly<Record<string, readonly [string, number]>> = {
  string: ['GET', 1],
  hash: ['HGETALL', 2],
  set: ['SMEMBERS', 1],
};
