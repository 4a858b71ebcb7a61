/** Reads the fields of records and inspected commits (layouts: kernel/kernel.ts). */
export const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
export const u32 = (bytes: Uint8Array, at: number): number => view(bytes).getUint32(at, true);
export const u64 = (bytes: Uint8Array, at: number): number => Number(view(bytes).getBigUint64(at, true));

/** Splits bytes into the records that stand in them, one behind the other. */
export function split(bytes: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += u32(bytes, at)) {
    if (u32(bytes, at) === 0) throw new Error('a record of length 0');
    out.push(bytes.subarray(at, at + u32(bytes, at)));
  }
  return out;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Error of an inspected commit or request; 0 means that the other fields are there. */
export const codeOf = (item: Uint8Array): number => view(item).getUint16(4, true);

export function icFields(ic: Uint8Array) {
  const typeLength = u32(ic, 248);
  const tagsLength = u32(ic, 252);
  const contentAt = 264 + typeLength + tagsLength;
  return {
    flags: ic[6]!,
    type: ic[7]!,
    exp: u64(ic, 16),
    from: ic.subarray(56, 88),
    hash: ic.subarray(88, 120),
    sig: ic.subarray(120, 184),
    name: text(ic.subarray(264, 264 + typeLength)),
    content: text(ic.subarray(contentAt, contentAt + u32(ic, 256))),
  };
}

export function eventFields(record: Uint8Array) {
  const typeLength = view(record).getUint16(368, true);
  const tagsLength = u32(record, 372);
  return {
    flags: record[5]!,
    type: record[6]!,
    seq: u64(record, 8),
    timestamp: u64(record, 16),
    exp: u64(record, 24),
    contentLength: u32(record, 44),
    id: record.subarray(48, 80),
    hash: record.subarray(80, 112),
    from: record.subarray(112, 144),
    sig: record.subarray(144, 208),
    seqSig: record.subarray(208, 272),
    contentHash: record.subarray(272, 304),
    target: record.subarray(304, 336),
    sequencer: record.subarray(336, 368),
    name: text(record.subarray(376, 376 + typeLength)),
    tags: text(record.subarray(376 + typeLength, 376 + typeLength + tagsLength)),
  };
}

export function closingFields(record: Uint8Array) {
  return {
    kind: record[4]!,
    index: u64(record, 8),
    firstSeq: u64(record, 16),
    size: u32(record, 24),
    t: u64(record, 32),
    leaf: record.subarray(104, 136),
    sthSig: record.subarray(168, 232),
    nodes: u32(record, 264),
    node: (level: number): Uint8Array => record.subarray(272 + (level - 1) * 32, 272 + level * 32),
  };
}
