import { redisPlace } from './redis-place.ts';

/** What ioredis takes, of the address of a Redis. Throws RedisPlaceError. */
export function redisOptions(url: string) {
  const { at, tls, ...signIn } = redisPlace(url);
  const secured = tls === undefined ? {} : { tls };
  if (!('sentinels' in at)) return { ...at, ...signIn, ...secured };
  return {
    sentinels: [...at.sentinels],
    name: at.name,
    ...(at.username === undefined ? {} : { sentinelUsername: at.username }),
    ...(at.password === undefined ? {} : { sentinelPassword: at.password }),
    ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    ...signIn,
    ...secured,
  };
}
