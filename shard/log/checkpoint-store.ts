import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { FORMAT_VERSION, type Head, RULES_VERSION } from '../../kernel/kernel.ts';
import { readInt, writeInt } from './bytes.ts';
import type { Checkpoint, LogKey, NewCheckpoint } from './enclave-log.ts';
import { HEAD_BYTES, readHead, sameHead, writeHead } from './head-bytes.ts';
import type { Maybe, Row } from './index-storage.ts';
import { CheckpointGap } from './log-errors.ts';
import { KEY_PREFIX, NUMBER_KEY, numberKey, prefixOf } from './row-keys.ts';

/**
 * Rows of checkpoints, the same in every back end. Key: prefix, head seq 8, kind 1. Kinds 0 and 1 begin with a bytes32 HMAC-SHA256 over the row's
 * key and all from byte 32, u16 format, u16 rules, u32 zero; then
 *   0 base:    head (80), bytes32 sha256 of the kernel's base, u32 recents, u32 zero, and per segment of recents that it
 *              needs: u64 head seq, i64 latest exp, bytes32 its HMAC
 *   1 recents: the kernel's recents
 *   2 state:   the kernel's base
 * So a base that checks vouches for exactly the state and the recents that belong to it.
 */
const BASE = 0;
const RECENTS = 1;
const STATE = 2;
const HEADER = 40;
const LIST_AT = HEADER + HEAD_BYTES + 40;
const LISTED = 48;
/** Bytes hashed between two looks at the event loop. */
const SLICE = 512 * 1024;
/** Older checkpoints are removed. */
const KEPT = 2;

interface Listed {
  readonly seq: number;
  readonly maxExp: number;
  readonly mac: Buffer;
}

interface Base {
  readonly head: Head;
  readonly listed: readonly Listed[];
  readonly digest: Buffer;
}

/** Where a back end keeps the rows. */
export interface CheckpointRows {
  /** keys of all rows of a log, in order */
  keys(prefix: Buffer): Maybe<readonly Buffer[]>;
  get(key: Buffer): Maybe<Buffer | undefined>;
}

export class CheckpointStore {
  readonly #rows: CheckpointRows;
  readonly #key: KeyObject;

  constructor(rows: CheckpointRows, key: Uint8Array) {
    if (key.length !== 32) throw new Error('The checkpoint key has 32 bytes.');
    this.#rows = rows;
    this.#key = createSecretKey(key);
  }

  /** The newest checkpoint that checks and whose head the log has `passed`; what is forged, torn or of a newer format is left out. */
  async latest(
    key: LogKey,
    head: Head,
    timestamp: number,
    passed: (head: Head) => Maybe<boolean>,
  ): Promise<Checkpoint | null> {
    const prefix = prefixOf(key);
    for (const seq of seqsOf(await this.#rows.keys(prefix), BASE).reverse()) {
      const base = await this.#base(prefix, seq);
      if (base === null || !(sameHead(base.head, head) || (await passed(base.head)))) continue;
      const recents = await this.#recents(prefix, base, timestamp);
      const state = await this.#rows.get(rowKey(prefix, seq, STATE));
      if (recents === null || state === undefined || !(await sha256(state)).equals(base.digest)) continue;
      return { head: base.head, base: state, recents };
    }
    return null;
  }

  /** Rows of a new checkpoint, and the keys that are then of no use. */
  async prepare(key: LogKey, checkpoint: NewCheckpoint): Promise<{ put: Row[]; remove: Uint8Array[] }> {
    const prefix = prefixOf(key);
    const { head, base, recent, recentFrom, recentMaxExp, timestamp } = checkpoint;
    const keys = await this.#rows.keys(prefix);
    const older = seqsOf(keys, BASE).filter((seq) => seq < head.seq);
    const previous = recentFrom === 0 ? null : await this.#base(prefix, recentFrom - 1);
    if (recentFrom > 0 && previous === null) throw new CheckpointGap();
    const recentKey = rowKey(prefix, head.seq, RECENTS);
    const recents = this.#seal(recentKey, [recent]);
    const listed: Listed[] = (previous?.listed ?? []).filter((entry) => entry.maxExp > timestamp);
    if (recent.length > 0) listed.push({ seq: head.seq, maxExp: recentMaxExp, mac: recents.subarray(0, 32) });
    const list = Buffer.alloc(LIST_AT - HEADER + LISTED * listed.length);
    writeHead(list, head, 0);
    list.set(await sha256(base), HEAD_BYTES);
    list.writeUInt32LE(listed.length, HEAD_BYTES + 32);
    for (const [i, entry] of listed.entries()) {
      const at = LIST_AT - HEADER + LISTED * i;
      writeInt(list, entry.seq, at);
      writeInt(list, entry.maxExp, at + 8);
      list.set(entry.mac, at + 16);
    }
    const baseKey = rowKey(prefix, head.seq, BASE);
    const put: Row[] = [
      { key: baseKey, value: this.#seal(baseKey, [list]) },
      { key: rowKey(prefix, head.seq, STATE), value: base },
    ];
    if (recent.length > 0) put.push({ key: recentKey, value: recents });
    const keptBases = older.slice(older.length - (KEPT - 1));
    const needed = new Set(listed.map((entry) => entry.seq));
    for (const seq of keptBases)
      for (const entry of (await this.#base(prefix, seq))?.listed ?? []) needed.add(entry.seq);
    const remove = [
      ...older
        .slice(0, older.length - keptBases.length)
        .flatMap((seq) => [BASE, STATE].map((kind) => rowKey(prefix, seq, kind))),
      ...seqsOf(keys, RECENTS)
        .filter((seq) => !needed.has(seq) && seq !== head.seq)
        .map((seq) => rowKey(prefix, seq, RECENTS)),
    ];
    return { put, remove };
  }

  async #base(prefix: Buffer, seq: number): Promise<Base | null> {
    const row = await this.#open(rowKey(prefix, seq, BASE));
    if (row === null || row.length < LIST_AT) return null;
    const listed: Listed[] = [];
    for (let at = LIST_AT; at + LISTED <= row.length; at += LISTED) {
      listed.push({ seq: readInt(row, at), maxExp: readInt(row, at + 8), mac: row.subarray(at + 16, at + 48) });
    }
    const digestAt = HEADER + HEAD_BYTES;
    return { head: readHead(row, HEADER), listed, digest: row.subarray(digestAt, digestAt + 32) };
  }

  /** Oldest first, those without an unexpired hash left out; null if one is missing or is not the one the base names. */
  async #recents(prefix: Buffer, base: Base, timestamp: number): Promise<Uint8Array[] | null> {
    const recents: Uint8Array[] = [];
    for (const entry of base.listed) {
      if (entry.maxExp <= timestamp) continue;
      const row = await this.#open(rowKey(prefix, entry.seq, RECENTS));
      if (row === null || !row.subarray(0, 32).equals(entry.mac)) return null;
      recents.push(new Uint8Array(row.subarray(HEADER)));
    }
    return recents;
  }

  #seal(key: Buffer, parts: readonly Uint8Array[]): Buffer {
    const header = Buffer.alloc(HEADER);
    header.writeUInt16LE(FORMAT_VERSION, 32);
    header.writeUInt16LE(RULES_VERSION, 34);
    const row = Buffer.concat([header, ...parts]);
    row.set(this.#mac(key, row), 0);
    return row;
  }

  async #open(key: Buffer): Promise<Buffer | null> {
    const row = await this.#rows.get(key);
    if (row === undefined || row.length < HEADER) return null;
    if (!timingSafeEqual(row.subarray(0, 32), this.#mac(key, row))) return null;
    return row.readUInt16LE(32) > FORMAT_VERSION || row.readUInt16LE(34) > RULES_VERSION ? null : row;
  }

  #mac(key: Buffer, row: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(key).update(row.subarray(32)).digest();
  }
}

/** Head seqs of the rows of a kind. */
function seqsOf(keys: readonly Buffer[], kind: number): number[] {
  return keys
    .filter((key) => key[NUMBER_KEY] === kind)
    .map((key) => key.readUInt32BE(KEY_PREFIX) * 0x1_0000_0000 + key.readUInt32BE(KEY_PREFIX + 4));
}

/** In slices: a state may have megabytes. */
async function sha256(bytes: Uint8Array): Promise<Buffer> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += SLICE) {
    if (at > 0) await new Promise(setImmediate);
    hash.update(bytes.subarray(at, at + SLICE));
  }
  return hash.digest();
}

function rowKey(prefix: Buffer, seq: number, kind: number): Buffer {
  return Buffer.concat([numberKey(prefix, Math.max(0, seq)), Buffer.from([kind])]);
}
