import { readFileSync } from 'node:fs';

export interface RedisServer {
  readonly host: string;
  readonly port: number;
}

/** Sentinels that know where a primary is, and how they are spoken to: their user and password are their own. */
export interface Sentinels {
  readonly sentinels: readonly RedisServer[];
  /** name of the primary in Sentinel's configuration */
  readonly name: string;
  readonly username?: string;
  readonly password?: string;
}

/** PEM files' contents. Without `ca`, the certificates that this system trusts count. */
export interface RedisTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Where a Redis is and how one signs in there, as its address says. */
export interface RedisPlace {
  readonly at: RedisServer | Sentinels;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  /** of the servers, and of the Sentinels if there are any; absent: in the clear */
  readonly tls?: RedisTls;
}

/** The message goes on behind the name of a setting, and never quotes the address: it may hold a password. */
export class RedisPlaceError extends Error {
  override readonly name = 'RedisPlaceError';
}

const PORT = 6379;
const SENTINEL_PORT = 26_379;
/** Between two addresses; the commas of a Sentinel address are others. */
const BETWEEN = /,(?=(?:rediss?|sentinels?):\/\/)/;
const SHAPE = /^(rediss?|sentinels?):\/\/(?:([^@/?]*)@)?([^@/?]+)(?:\/([^?]*))?(?:\?(.*))?$/;
const HOST = /^(\[[0-9a-fA-F:]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

/** Addresses with commas between, in their order. */
export function splitPlaces(text: string): string[] {
  return text.split(BETWEEN);
}

/**
 *   redis[s]://[user:password@]host[:port][/db][?ca=FILE&cert=FILE&key=FILE]
 *   sentinel[s]://[user:password@]host[:port][,host[:port]…]/name[/db][?sentinel-user=…&sentinel-password=…&ca=…]
 *
 * With `s` all of it is spoken over TLS, the Sentinels included. User and password before the @ are those of the Redis servers.
 * Whatever has a meaning in an address is percent-encoded in them. Reads the files. Throws RedisPlaceError.
 */
export function redisPlace(text: string): RedisPlace {
  const [, scheme = '', credentials = '', hosts = '', path = '', query = ''] = SHAPE.exec(text) ?? wrong();
  const { ca, cert, key, 'sentinel-user': user, 'sentinel-password': password, ...others } = parameters(query);
  if (Object.keys(others).length > 0) wrong();
  const watched = scheme.startsWith('sentinel');
  const secure = scheme.endsWith('s') && scheme !== 'redis';
  if (!secure && (ca ?? cert ?? key) !== undefined)
    throw new RedisPlaceError('names files for TLS and does not ask for TLS: begin it with rediss:// or sentinels://');
  if ((cert === undefined) !== (key === undefined))
    throw new RedisPlaceError('names a certificate or its key alone: give both, or none');
  const servers = hosts.split(',').map(server(watched ? SENTINEL_PORT : PORT));
  const [name, db = ''] = watched ? path.split('/') : ['', path];
  if (!/^\d{0,4}$/.test(db) || path.split('/').length > (watched ? 2 : 1)) wrong();
  if (!watched && (servers.length > 1 || (user ?? password) !== undefined)) wrong();
  if (watched && !/^[\w.-]+$/.test(name as string)) wrong();
  return {
    at: watched ? { sentinels: servers, name: name as string, ...signIn(user, password) } : (servers[0] as RedisServer),
    ...signIn(...pair(credentials)),
    ...(db === '' ? {} : { db: Number(db) }),
    ...(secure ? { tls: { ...file('ca', ca), ...file('cert', cert), ...file('key', key) } } : {}),
  };
}

const server =
  (port: number) =>
  (text: string): RedisServer => {
    const [, host = '', own] = HOST.exec(text) ?? wrong();
    if (Number(own ?? port) > 65_535) wrong();
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(own ?? port) };
  };

function parameters(query: string): Record<string, string> {
  const pairs = query === '' ? [] : query.split('&').map((one) => one.split('='));
  if (pairs.some((one) => one.length !== 2)) wrong();
  return Object.fromEntries(pairs.map(([name, value]) => [name, decoded(value as string)]));
}

/** `user:password`, each percent-encoded. */
function pair(credentials: string): [string | undefined, string | undefined] {
  const colon = credentials.indexOf(':');
  if (colon < 0) return [decoded(credentials), undefined];
  return [decoded(credentials.slice(0, colon)), decoded(credentials.slice(colon + 1))];
}

function signIn(username?: string, password?: string): { username?: string; password?: string } {
  return { ...(username ? { username } : {}), ...(password ? { password } : {}) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return wrong();
  }
}

function file(name: string, path: string | undefined): Record<string, Buffer> {
  if (path === undefined) return {};
  try {
    return { [name]: readFileSync(path) };
  } catch {
    throw new RedisPlaceError(`names ${path}, which can not be read: set it to a PEM file`);
  }
}

function wrong(): never {
  throw new RedisPlaceError(
    'is no Redis address: set it to redis://host:port, or to sentinel://host:port,host:port/name',
  );
}
