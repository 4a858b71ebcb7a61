import { redisPlace } from './redis-place.ts';

/**
 * A connection outlives the role of its server: one that has become a replica takes no writes, and says so. Then the
 * address, or Sentinel, is asked again.
 */
const reconnectOnError = (error: Error): boolean => error.message.startsWith('READONLY');

/** What ioredis takes, of the address of a Redis. Throws RedisPlaceError. */
export function redisOptions(url: string) {
  const { at, tls, ...signIn } = redisPlace(url);
  const secured = tls === undefined ? {} : { tls };
  if (!('sentinels' in at)) return { reconnectOnError, ...at, ...signIn, ...secured };
  return {
    reconnectOnError,
    sentinels: [...at.sentinels],
    name: at.name,
    ...(at.username === undefined ? {} : { sentinelUsername: at.username }),
    ...(at.password === undefined ? {} : { sentinelPassword: at.password }),
    ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    ...signIn,
    ...secured,
  };
}
