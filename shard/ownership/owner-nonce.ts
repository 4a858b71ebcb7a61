import { randomBytes } from 'node:crypto';

/** 12 random bytes, so that no two owners are equal, and the u32 number of the shard, so that anybody can ask it. */
const RANDOM_BYTES = 12;
/** Stands for a single node, which nobody else asks for. */
const NO_SHARD = 0xffffffff;

/** The owner's half of the epochs that this process raises (shard/log/enclave-log.ts): 16 bytes. */
export function ownerNonce(shard: number | null): Uint8Array {
  const nonce = Buffer.alloc(RANDOM_BYTES + 4);
  randomBytes(RANDOM_BYTES).copy(nonce);
  nonce.writeUInt32BE(shard ?? NO_SHARD, RANDOM_BYTES);
  return nonce;
}

/** The shard that an epoch's nonce names, null for a single node's. */
export function shardOfNonce(nonce: Uint8Array): number | null {
  const shard = Buffer.from(nonce.buffer, nonce.byteOffset, nonce.length).readUInt32BE(RANDOM_BYTES);
  return shard === NO_SHARD ? null : shard;
}
