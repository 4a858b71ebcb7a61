import type { RedisServer } from '../../cluster/redis/redis-place.ts';
import { Link, type Reply } from './link.ts';
import type { Settled } from './redis-settings.ts';

export interface Primary {
  readonly address: RedisServer;
  /** replicas that Sentinel may promote; null where there is no Sentinel to ask */
  readonly promotable: number | null;
}

/**
 * Where the primary is, as the settings or a Sentinel say. `attempt` rotates the Sentinels, so that one that is cut off
 * and still names an old primary is asked only every so often. Rejects when no Sentinel answers or knows the name.
 * (ioredis can ask Sentinels too, but does not say how many replicas they know.)
 */
export async function findPrimary(settings: Settled, attempt: number): Promise<Primary> {
  const { at } = settings;
  if (!('sentinels' in at)) return { address: at, promotable: null };
  let reason: unknown = null;
  for (let i = 0; i < at.sentinels.length; i++) {
    const address = at.sentinels[(attempt + i) % at.sentinels.length] as RedisServer;
    try {
      return await ask(address, settings, at);
    } catch (error) {
      reason = error;
    }
  }
  throw new Error(`No Sentinel names a primary "${at.name}" (${reason instanceof Error ? reason.message : reason}).`);
}

async function ask(
  sentinel: RedisServer,
  settings: Settled,
  at: { readonly name: string; readonly username?: string; readonly password?: string },
): Promise<Primary> {
  const { connectMs, tls } = settings;
  const link = await Link.open(sentinel, {
    connectMs,
    ...(tls === undefined ? {} : { tls }),
    ...(at.username === undefined ? {} : { username: at.username }),
    ...(at.password === undefined ? {} : { password: at.password }),
  });
  const timer = setTimeout(() => link.destroy(), connectMs);
  try {
    const [address, replicas, others] = await Promise.all([
      link.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', at.name),
      link.call('SENTINEL', 'REPLICAS', at.name),
      link.call('SENTINEL', 'SENTINELS', at.name),
    ]);
    if (!Array.isArray(address) || address.length < 2) throw new Error('it does not know that name');
    const seesMost = mostAreHeard(rowsOf(others));
    return {
      address: { host: String(address[0]), port: Number(String(address[1])) },
      promotable: rowsOf(replicas).filter((replica) => mayBePromoted(replica, seesMost)).length,
    };
  } finally {
    clearTimeout(timer);
    link.destroy();
  }
}

/** What a Sentinel says of others, by field. */
type Row = ReadonlyMap<string, string>;

function rowsOf(reply: Reply): Row[] {
  if (!Array.isArray(reply)) return [];
  return reply.map((one) => {
    const fields = new Map<string, string>();
    if (Array.isArray(one)) for (let i = 0; i + 1 < one.length; i += 2) fields.set(String(one[i]), String(one[i + 1]));
    return fields;
  });
}

/** How often Sentinels ask each other and the servers, ms. */
const SENTINEL_PING_MS = 1000;

/**
 * Do the Sentinels that this one hears, itself included, outnumber the others? Only they can promote. It must have heard
 * them a ping later than anything that it holds for down: a cut takes both away at once. (Its flags for them come and go
 * while it tries to connect again.)
 */
function mostAreHeard(others: readonly Row[]): boolean {
  const heard = others.filter((other) => {
    const within = Math.max(Number(other.get('down-after-milliseconds')) - SENTINEL_PING_MS, 2 * SENTINEL_PING_MS);
    return Number(other.get('last-ok-ping-reply') ?? Number.POSITIVE_INFINITY) < within;
  });
  return heard.length + 1 > (others.length + 1) / 2;
}

/**
 * Sentinels promote no replica of priority 0, and none that they hold for down. What a minority holds for down may be well
 * where the others are.
 */
function mayBePromoted(replica: Row, seesMost: boolean): boolean {
  const flags = (replica.get('flags') ?? '').split(',');
  const down = seesMost && (flags.includes('s_down') || flags.includes('o_down'));
  return replica.get('slave-priority') !== '0' && !down;
}
