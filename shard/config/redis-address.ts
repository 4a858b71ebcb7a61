import { type RedisPlace, RedisPlaceError, redisPlace } from '../../cluster/redis/redis-place.ts';
import { ConfigError } from './env.ts';

/** The address in a setting (cluster/redis/redis-place.ts). Throws ConfigError, which never quotes it. */
export function redisAddress(variable: string, text: string): RedisPlace {
  try {
    return redisPlace(text);
  } catch (error) {
    if (error instanceof RedisPlaceError) throw new ConfigError(`${variable} ${error.message}`);
    throw error;
  }
}
