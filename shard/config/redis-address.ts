import type { RedisSettings } from '../redis/redis-settings.ts';
import { ConfigError } from './env.ts';

/** Between two addresses; the commas of a Sentinel address are others. */
const BETWEEN = /,(?=(?:rediss?|sentinel):\/\/)/;

/** Addresses with commas between, in their order. */
export function splitAddresses(text: string): string[] {
  return text.split(BETWEEN);
}

const PORT = 6379;
const SENTINEL_PORT = 26_379;

/**
 * redis://[user:password@]host[:port][/db], or rediss:// over TLS, or sentinel://host[:port][,host[:port]…]/name. Throws
 * ConfigError, without what stands before the @.
 */
export function redisAddress(
  variable: string,
  text: string,
): Pick<RedisSettings, 'at' | 'username' | 'password' | 'db' | 'tls'> {
  const wrong = (): never => {
    throw new ConfigError(
      `${variable} is no Redis address: set it to redis://host:port, or to sentinel://host:port,host:port/name`,
    );
  };
  const sentinel = /^sentinel:\/\/([^/@]+)\/([\w.-]+)$/.exec(text);
  if (sentinel) {
    const sentinels = (sentinel[1] as string).split(',').map((one) => {
      const [, host, port] = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(one) ?? wrong();
      return { host: bare(host as string), port: Number(port ?? SENTINEL_PORT) };
    });
    return { at: { sentinels, name: sentinel[2] as string } };
  }
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) return wrong();
  const url = new URL(text);
  const db = url.pathname.slice(1);
  if (url.hostname === '' || !/^\d{0,4}$/.test(db)) return wrong();
  return {
    at: { host: bare(url.hostname), port: Number(url.port || PORT) },
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    ...(db ? { db: Number(db) } : {}),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
  };
}

const bare = (host: string): string => host.replace(/^\[(.*)\]$/, '$1');
