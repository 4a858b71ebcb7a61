/** The 32 bytes of an id as a map key: one character a byte. */
export const nameOf = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
