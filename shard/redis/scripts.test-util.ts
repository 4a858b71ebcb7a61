import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RedisServer } from '../../test/parts/redis.ts';
import type { RedisSettings } from './redis-settings.ts';
import { openRedis, type RedisStore, type StoreState } from './redis-store.ts';
import { loadScript, type Script } from './script.ts';

function script(name: string, text: string): Script {
  const folder = mkdtempSync(join(tmpdir(), 'enc-lua-'));
  try {
    writeFileSync(join(folder, name), text);
    return loadScript(pathToFileURL(join(folder, name)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sets a key once: 1 if it did, 0 (and nothing is written) if it was there. */
export const once = script('once-1.lua', "return redis.call('SETNX', KEYS[1], ARGV[1])");
export const put = script('put-1.lua', "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('GET', KEYS[1])");
export const broken = script('broken-1.lua', "redis.call('SET', KEYS[1], 'x') return redis.call('INCR', KEYS[1])");

const opened = new Set<RedisStore>();

/** Closes what a failed test has left open. */
export async function closeStores(): Promise<void> {
  await Promise.all([...opened].map((store) => store.close()));
  opened.clear();
}

/** A store over this server, with short deadlines; `states` collects what it says of its connections. */
export async function open(
  server: RedisServer | null,
  settings: Partial<RedisSettings> = {},
  states: StoreState[] = [],
  openMs = 5000,
): Promise<RedisStore> {
  const store = await openRedis({
    settings: { at: server?.address ?? { host: '127.0.0.1', port: 1 }, waitMs: 300, deadlineMs: 900, ...settings },
    scripts: [once, put, broken],
    beatKey: 'beat',
    openMs,
    onState: (state) => states.push(state),
  });
  opened.add(store);
  return store;
}
