import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { decodeFirst } from 'cborg';
import { fromHex } from '../../protocol/hex.ts';

/** One item is at most a commit of 1 MiB, written as canonical JSON, and its signatures. */
const MAX_ITEM_BYTES = 8 << 20;

export interface SnapshotHeader {
  readonly kind: 'header';
  readonly enclave: Uint8Array;
  readonly sequencer: Uint8Array;
  readonly head: number;
  readonly bundles: number;
}

export interface SnapshotEvent {
  readonly kind: 'event';
  /** canonical JSON bytes */
  readonly commit: Uint8Array;
  readonly timestamp: number;
  readonly seq: number;
  readonly sequencer: Uint8Array;
  readonly seqSig: Uint8Array;
  /** of an erased Update */
  readonly target: Uint8Array | null;
}

export interface SnapshotClosing {
  readonly kind: 'closing';
  readonly index: number;
  readonly firstSeq: number;
  readonly size: number;
  readonly t: number;
}

export interface SnapshotEnd {
  readonly kind: 'end';
  readonly t: number;
  readonly ts: number;
  /** null, both: there is no tree head (event-lines.ts) */
  readonly r: Uint8Array | null;
  readonly sequencer: Uint8Array;
  readonly sig: Uint8Array | null;
  /** the file's own sum is right */
  readonly intact: boolean;
}

export type SnapshotItem = SnapshotHeader | SnapshotEvent | SnapshotClosing | SnapshotEnd;

/** Not a snapshot: what is wrong is known only up to the last seq that could be read. */
export class SnapshotBroken extends Error {}

/** Puts a body into a file, so that it can be read more than once with bounded memory. */
export async function spool(source: Readable, path: string): Promise<void> {
  await pipeline(source, createWriteStream(path, { flags: 'wx', mode: 0o600 }));
}

/** Events as JSON lines begin with a brace, a CBOR sequence with a map. */
export async function beginsWithBrace(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, 0);
    return bytesRead === 1 && buffer[0] === 0x7b;
  } finally {
    await file.close();
  }
}

/** Reads a spooled `.enc` file (PROTOCOL §10) item by item. Throws SnapshotBroken on whatever is not one. */
export async function* readSnapshot(path: string): AsyncGenerator<SnapshotItem> {
  const hash = createHash('sha256');
  let first = true;
  let ended = false;
  for await (const { value, bytes } of sequence(createReadStream(path, { highWaterMark: 256 * 1024 }))) {
    if (ended) throw new SnapshotBroken('something stands behind the end');
    const item = first ? header(value) : itemOf(value, hash);
    first = false;
    ended = item.kind === 'end';
    hash.update(bytes);
    yield item;
  }
  if (!ended) throw new SnapshotBroken('the file ends early');
}

async function* sequence(source: AsyncIterable<Buffer>): AsyncGenerator<{ value: unknown; bytes: Uint8Array }> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const decoded = decodeSome(rest);
      if (!decoded) break;
      yield { value: decoded.value, bytes: rest.subarray(0, rest.length - decoded.rest.length) };
      rest = decoded.rest;
    }
    if (rest.length > MAX_ITEM_BYTES) throw new SnapshotBroken('an item is too long');
  }
  if (rest.length > 0) throw new SnapshotBroken('the file ends inside an item');
}

/** The first item, null if more bytes are needed. */
function decodeSome(bytes: Uint8Array): { value: unknown; rest: Uint8Array } | null {
  if (bytes.length === 0) return null;
  try {
    const [value, rest] = decodeFirst(bytes, {
      useMaps: true,
      strict: true,
      rejectDuplicateMapKeys: true,
      allowIndefinite: false,
      allowUndefined: false,
    });
    return { value, rest };
  } catch (error) {
    if (error instanceof Error && /not enough (data|entries)/.test(error.message)) return null;
    throw new SnapshotBroken('not a CBOR sequence');
  }
}

const broken = (): never => {
  throw new SnapshotBroken('an item has another shape');
};

const natural = (value: unknown): number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : broken();

/** Raw, or as hex text. */
function bytes(value: unknown, length: number): Uint8Array {
  const raw = typeof value === 'string' ? fromHex(value, length) : value;
  return raw instanceof Uint8Array && raw.length === length ? raw.slice() : broken();
}

function header(value: unknown): SnapshotHeader {
  if (!(value instanceof Map) || value.get('format') !== 'enc-snapshot') return broken();
  if (value.get('v') !== 1) throw new SnapshotBroken('a snapshot of another version');
  return {
    kind: 'header',
    enclave: bytes(value.get('enclave'), 32),
    sequencer: bytes(value.get('sequencer'), 32),
    head: natural(value.get('head')),
    bundles: natural(value.get('bundles')),
  };
}

function itemOf(value: unknown, hash: ReturnType<typeof createHash>): SnapshotItem {
  if (!Array.isArray(value)) return broken();
  if (value[0] === 0 && (value.length === 6 || value.length === 7)) {
    return {
      kind: 'event',
      commit: value[1] instanceof Uint8Array ? value[1].slice() : broken(),
      timestamp: natural(value[2]),
      seq: natural(value[3]),
      sequencer: bytes(value[4], 32),
      seqSig: bytes(value[5], 64),
      target: value.length === 7 ? bytes(value[6], 32) : null,
    };
  }
  if (value[0] === 1 && value.length === 5) {
    return {
      kind: 'closing',
      index: natural(value[1]),
      firstSeq: natural(value[2]),
      size: natural(value[3]),
      t: natural(value[4]),
    };
  }
  if (value[0] === 2 && value.length === 3 && value[1] instanceof Map) {
    const sth: Map<unknown, unknown> = value[1];
    return {
      kind: 'end',
      t: natural(sth.get('t')),
      ts: natural(sth.get('ts')),
      r: bytes(sth.get('r'), 32),
      sequencer: bytes(sth.get('sequencer'), 32),
      sig: bytes(sth.get('sig'), 64),
      intact: Buffer.compare(bytes(value[2], 32), hash.copy().digest()) === 0,
    };
  }
  return broken();
}
