const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/** What ioredis takes, of redis://, rediss://, or sentinel://[user:password@]host:port,host:port/name. */
export function redisOptions(url: string) {
  const [, login = '', hosts, name] = /^sentinel:\/\/(?:([^/@]*)@)?([^/@]+)\/(.+)$/.exec(url) ?? [];
  if (hosts !== undefined && name !== undefined) {
    const sentinels = hosts.split(',').map((one) => {
      const { hostname, port } = new URL(`redis://${one}`);
      return { host: hostname, port: Number(port || SENTINEL_PORT) };
    });
    const { username, password } = new URL(`redis://${login}@host`);
    return {
      sentinels,
      name,
      ...(username ? { username: decodeURIComponent(username), sentinelUsername: decodeURIComponent(username) } : {}),
      ...(password ? { password: decodeURIComponent(password), sentinelPassword: decodeURIComponent(password) } : {}),
    };
  }
  const { hostname, port, username, password, pathname, protocol } = new URL(url);
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || REDIS_PORT),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(pathname.length > 1 ? { db: Number(pathname.slice(1)) } : {}),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}
