/** Little-endian integers up to 2^53 in byte arrays, without BigInt. Signed values keep their sign through the high word. */
export function readInt(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * 0x1_0000_0000 + bytes.readUInt32LE(at);
}

export function writeInt(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
  bytes.writeUInt32LE(value >>> 0, at);
}

/** Big-endian, for keys: `value` ≥ 0. */
export function writeKeyInt(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  bytes.writeUInt32BE(value >>> 0, at + 4);
}

export function readKeyInt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}

export function padded(length: number): number {
  return (length + 7) & ~7;
}

/** A Buffer over the same memory: the library's fast paths want one. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
