import type { RedisServer } from '../../cluster/redis/redis-place.ts';
import { isReplyError, type Link } from './link.ts';
import { RedisRefused } from './redis-errors.ts';
import type { Settled } from './redis-settings.ts';

export interface ServerFacts {
  readonly address: RedisServer;
  /** random id of this run of the server, 40 hex digits */
  readonly runId: string;
  readonly version: string;
  /** replicas in step when this was read */
  readonly replicas: number;
}

/** What an acknowledged write needs to survive a restart of the server, and why (ARCHITECTURE §3). */
const NEEDED: readonly (readonly [name: string, value: string])[] = [
  ['appendonly', 'yes'],
  ['appendfsync', 'always'],
  ['no-appendfsync-on-rewrite', 'no'],
  ['maxmemory-policy', 'noeviction'],
];

/**
 * Reads who answers at the other end. Throws RedisRefused, one sentence that says what to set, when the server would lose
 * what it has acknowledged, and another Error when it is no primary (any more) or not ready yet.
 */
export async function checkServer(link: Link, address: RedisServer, settings: Settled): Promise<ServerFacts> {
  const info = parseInfo(String(await link.call('INFO')));
  const where = `${address.host}:${address.port}`;
  if (info.get('loading') === '1') throw new Error(`Redis at ${where} is loading its data.`);
  if (info.get('role') !== 'master') throw new Error(`Redis at ${where} is not a primary.`);
  if (!settings.allowUnsafe) await checkSettings(link, where);
  if (settings.durability === 'WAITAOF') await checkWaitAof(link, where);
  return {
    address,
    runId: info.get('run_id') ?? '',
    version: `${info.get('server_name') ?? 'redis'} ${info.get('valkey_version') ?? info.get('redis_version') ?? ''}`,
    replicas: replicasInStep(info),
  };
}

async function checkSettings(link: Link, where: string): Promise<void> {
  const wrong: string[] = [];
  for (const [name, value] of NEEDED) {
    const reply = await answered(
      link.call('CONFIG', 'GET', name),
      (why) =>
        `Redis at ${where} does not show its settings (${why}): allow CONFIG GET to this user, or allow unsafe servers if you are sure of them.`,
    );
    const found = Array.isArray(reply) ? String(reply[1]) : 'unknown';
    if (found !== value) wrong.push(`${name} ${value} (it is ${found})`);
  }
  if (wrong.length === 0) return;
  throw new RedisRefused(
    `Redis at ${where} could lose what it has acknowledged: set ${wrong.join(', ')} in its configuration, on its replicas too.`,
  );
}

async function checkWaitAof(link: Link, where: string): Promise<void> {
  await answered(
    link.call('WAITAOF', '0', '0', '1'),
    () => `Redis at ${where} has no WAITAOF: use Redis 7.2, Valkey, or the setting WAIT.`,
  );
}

/** An error that the server answers with says that it can't be used; one of the connection says nothing of it. */
function answered(reply: Promise<unknown>, sentence: (why: string) => string): Promise<unknown> {
  return reply.catch((error: Error) => {
    throw isReplyError(error) ? new RedisRefused(sentence(error.message)) : error;
  });
}

/** `name:value` lines; section names are comments. */
export function parseInfo(text: string): Map<string, string> {
  const info = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) info.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return info;
}

/**
 * Replicas that are connected and have all data, as far as the primary has sent it: also frozen and slow ones. With
 * `heard`, only those that have acknowledged something since: a new one may still be busy with what it was sent.
 */
export function replicasInStep(info: Map<string, string>, heard = false): number {
  let count = 0;
  for (const [name, value] of info)
    if (/^slave\d+$/.test(name) && value.includes('state=online') && (!heard || /offset=[1-9]/.test(value))) count++;
  return count;
}
