import { asBuffer } from '../log/bytes.ts';
import type { LogKey } from '../log/enclave-log.ts';

/**
 * Key of what belongs to an enclave: `<prefix>{<enclave id in base64url>}<suffix>`. The braces are Redis Cluster's hash
 * tag: all keys of an enclave are on one server. (Raw bytes might hold a brace of their own.)
 */
export function enclaveKey(prefix: string, enclave: Uint8Array, suffix = ''): Buffer {
  return Buffer.from(`${prefix}{${asBuffer(enclave).toString('base64url')}}${suffix}`, 'latin1');
}

/** The same for a lane; lane 0 needs no suffix. */
export function laneKey(prefix: string, key: LogKey): Buffer {
  return enclaveKey(prefix, key.enclave, key.lane === 0 ? '' : `:${key.lane}`);
}
