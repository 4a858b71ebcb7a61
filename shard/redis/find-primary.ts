import { Link, type Reply } from './link.ts';
import type { RedisAddress, Settled } from './redis-settings.ts';

export interface Primary {
  readonly address: RedisAddress;
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
    const address = at.sentinels[(attempt + i) % at.sentinels.length] as RedisAddress;
    try {
      return await ask(address, settings, at);
    } catch (error) {
      reason = error;
    }
  }
  throw new Error(`No Sentinel names a primary "${at.name}" (${reason instanceof Error ? reason.message : reason}).`);
}

async function ask(
  sentinel: RedisAddress,
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
    const [address, replicas] = await Promise.all([
      link.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', at.name),
      link.call('SENTINEL', 'REPLICAS', at.name),
    ]);
    if (!Array.isArray(address) || address.length < 2) throw new Error('it does not know that name');
    return {
      address: { host: String(address[0]), port: Number(String(address[1])) },
      promotable: Array.isArray(replicas) ? replicas.filter(mayBePromoted).length : 0,
    };
  } finally {
    clearTimeout(timer);
    link.destroy();
  }
}

/** Sentinel promotes no replica of priority 0, and none that it holds for down. */
function mayBePromoted(replica: Reply): boolean {
  if (!Array.isArray(replica)) return false;
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < replica.length; i += 2) fields.set(String(replica[i]), String(replica[i + 1]));
  const flags = (fields.get('flags') ?? '').split(',');
  return fields.get('slave-priority') !== '0' && !flags.includes('s_down') && !flags.includes('o_down');
}
