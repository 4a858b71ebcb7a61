import type { RedisServer } from '../test/parts/redis.ts';
import { waitFor } from '../test/parts/wait-for.ts';

const REWRITE_MS = 60_000;

/** Size of a server's append-only file, bytes. */
export async function fileBytes(server: RedisServer): Promise<number> {
  return Number(await server.info('aof_current_size'));
}

/** Rewrites that file, as a server does by itself whenever it has doubled; resolves to its size then. */
export async function rewrittenBytes(server: RedisServer): Promise<number> {
  await server.call('BGREWRITEAOF');
  await waitFor('the rewritten file', REWRITE_MS, async () => {
    const rewriting = [await server.info('aof_rewrite_scheduled'), await server.info('aof_rewrite_in_progress')];
    return rewriting.every((flag) => flag === '0');
  });
  return await fileBytes(server);
}
