import { hash, randomBytes } from 'node:crypto';

/** A secret key as a pool signs with it. */
export interface PoolKey {
  readonly secret: Uint8Array;
  /** names the secret in directories of keys without being it */
  readonly tag: string;
}

const SALT = randomBytes(32);

/** The tag is salted: it is worth nothing outside this process. */
export function poolKey(secret: Uint8Array): PoolKey {
  const input = Buffer.concat([SALT, secret]);
  const tag = hash('sha256', input, 'base64');
  input.fill(0);
  return { secret, tag };
}
