import { FORMAT_VERSION, type Head, RECORD_CLOSING } from '../../../kernel/kernel.ts';
import type { Reply } from '../../redis/link.ts';
import { RedisUnknown } from '../../redis/redis-errors.ts';
import type { RedisStore } from '../../redis/redis-store.ts';
import type { Arg, Script } from '../../redis/script.ts';
import type { ArchiveReader } from '../archive/archive-reader.ts';
import { asBuffer, readInt } from '../bytes.ts';
import { type CheckpointRows, CheckpointStore } from '../checkpoint-store.ts';
import { encodeClosing } from '../closing-row.ts';
import type {
  Append,
  AppendResult,
  Batch,
  CandidatePlan,
  Checkpoint,
  EnclaveLog,
  Epoch,
  LogKey,
  NewCheckpoint,
  Opened,
  StoredEvent,
  Usage,
} from '../enclave-log.ts';
import { foldHead } from '../fold-head.ts';
import { sameHead } from '../head-bytes.ts';
import { IndexReader } from '../index-reader.ts';
import { LogDamaged, LogMoved, LogUnavailable } from '../log-errors.ts';
import { eachRecord } from '../records.ts';
import { keyOf, numberKey, prefixOf } from '../row-keys.ts';
import type { AofRewriter } from './aof-rewriter.ts';
import { encodeEntry, entryBytes } from './entry-row.ts';
import { Eraser } from './eraser.ts';
import { appendPieces, decodeHeadRow, epochBytes, freshRow, type HeadRow } from './head-row.ts';
import { RedisIndexStorage } from './index-storage.ts';
import {
  checkpointField,
  checkpointRowKey,
  checkpointSeq,
  checkpointsKey,
  closingField,
  closingKey,
  DUE,
  deletesKey,
  ERASURES,
  LOGS,
  laneKey,
  SERVER,
  segmentKey,
} from './keys.ts';
import { LogReader } from './log-reader.ts';
import { readAhead } from './read-ahead.ts';
import { APPEND, ARCHIVED, CHECKPOINT, GUARD, OPEN, REPLACE, TRIM } from './scripts.ts';
import { entryPlace, planReplacement } from './tail-replacement.ts';
import { planTrim } from './trim.ts';

export interface RedisLogOptions {
  /** 32 bytes, derived from the master secret: checkpoints carry an HMAC under it */
  readonly checkpointKey: Uint8Array;
  /** where events are found that have been trimmed */
  readonly archive: ArchiveReader | null;
}

/** Reads of an operation that compares and sets are repeated so often when somebody comes between. */
const TRIES = 5;

/** The log over Redis; index.ts opens it. */
export class RedisLog implements EnclaveLog {
  readonly #store: RedisStore;
  readonly #rewriter: AofRewriter;
  readonly #reader: LogReader;
  readonly #indexStorage: RedisIndexStorage;
  readonly #index: IndexReader;
  readonly #checkpoints: CheckpointStore;
  readonly #eraser: Eraser;

  constructor(store: RedisStore, rewriter: AofRewriter, options: RedisLogOptions) {
    this.#store = store;
    this.#rewriter = rewriter;
    this.#reader = new LogReader(store, options.archive, (key) => this.#index.release(key));
    this.#indexStorage = new RedisIndexStorage(store, this.#reader);
    this.#index = new IndexReader(this.#indexStorage);
    this.#checkpoints = new CheckpointStore(checkpointRows(this.#reader), options.checkpointKey);
    this.#eraser = new Eraser(store, this.#reader, this.#index);
    this.#eraser.resume();
  }

  /** performance.now() of the last answer that counted, −∞ while there is no connection */
  get heardAt(): number {
    return this.#store.heardAt;
  }

  async guardId(): Promise<Uint8Array | null> {
    const id = (await this.#reader.fetch('HGET', SERVER, 'guard')) as Buffer | null;
    return id === null ? null : new Uint8Array(id);
  }

  async adoptGuard(id: Uint8Array): Promise<void> {
    await this.#counted(GUARD, [SERVER], [id]);
  }

  async open(key: LogKey, owner: Uint8Array, recovering = false): Promise<Opened> {
    if (key.enclave.length !== 32 || owner.length !== 16)
      throw new Error('An enclave id has 32 bytes, an owner nonce 16.');
    const row = await this.#raise(key, owner, recovering);
    const checkpoint: Checkpoint | null =
      row.head.seq < 0
        ? null
        : await this.#checkpoints.latest(key, row.head, row.timestamp, (head) => this.#reader.passed(key, head));
    return { epoch: row.epoch, head: row.head, checkpoint, timestamp: row.timestamp, bytes: row.bytes };
  }

  /** The head row that the raised epoch is in: read and written in one script, so that it is as durable as the epoch. */
  async #raise(key: LogKey, owner: Uint8Array, recovering: boolean): Promise<HeadRow> {
    const prefix = prefixOf(key);
    const raise = async (fresh: Buffer, damaged: Arg): Promise<Buffer> => {
      const reply = await this.#counted(
        OPEN,
        [laneKey(key), LOGS, DUE],
        [new Uint8Array(owner), prefix, fresh, damaged, String(FORMAT_VERSION)],
      );
      if (Array.isArray(reply)) throw new LogMoved();
      return Buffer.from(reply as Buffer);
    };
    const row = await raise(freshRow(prefix, false), '');
    try {
      return decodeHeadRow(row, prefix);
    } catch (error) {
      if (!(error instanceof LogDamaged) || !recovering) throw error;
      this.release(key);
      return decodeHeadRow(await raise(freshRow(prefix, true), row), prefix);
    }
  }

  append(append: Append): void {
    const { key, batch, expected } = append;
    if (batch.firstSeq !== expected.seq + 1 || batch.events + batch.closings === 0) return void this.#refuse(append);
    const prefix = prefixOf(key);
    const lane = laneKey(key);
    const place = entryPlace(batch);
    const { condition, start, body } = appendPieces(
      prefix,
      append.epoch,
      expected,
      append.next,
      append.timestamp,
      append.dueAt,
    );
    const keys: Arg[] = [lane, segmentKey(lane, place.segment), DUE];
    const args: Arg[] = [
      condition,
      start,
      body,
      String(append.dueAt),
      prefix,
      place.bytes,
      String(batch.events),
      encodeEntry(prefix, batch, expected),
      batch.content,
      String(entryBytes(batch)),
      String(append.timestamp),
      String(batch.closings),
    ];
    if (batch.closings > 0) args[11] = String(pushClosings(lane, prefix, batch, keys, args));
    if (append.deletes.length > 0) {
      keys.push(deletesKey(lane), ERASURES);
      args.push(...append.deletes);
    }
    this.#store.write(APPEND, keys, args, (reply) => this.#appended(append, reply));
  }

  /** A batch that does not begin behind its own head is nothing that could be written, whoever owns the log. */
  async #refuse({ key, epoch, expected, done }: Append): Promise<void> {
    const row = await this.#reader.head(key).catch(() => null);
    const owned = row !== null && epochBytes(row.epoch).equals(epochBytes(epoch)) && sameHead(row.head, expected);
    done(owned ? 'unknown' : 'fenced');
  }

  #appended(append: Append, reply: Reply | RedisUnknown): void {
    const result: AppendResult = reply === 1 ? 'ok' : reply === 0 ? 'fenced' : 'unknown';
    if (result === 'ok') {
      try {
        this.#index.appended(append.key, append.batch);
      } catch {
        // An index is only an aid: the append stands, and lookups read the records.
        this.#index.release(append.key);
      }
      if (append.deletes.length > 0) this.#eraser.resume();
    }
    append.done(result);
  }

  async owner(key: LogKey): Promise<Epoch | null> {
    return (await this.#reader.head(key))?.epoch ?? null;
  }

  async head(key: LogKey): Promise<Head | null> {
    return (await this.#reader.head(key))?.head ?? null;
  }

  async usage(key: LogKey): Promise<Usage | null> {
    const row = await this.#reader.head(key);
    return row === null ? null : { events: row.head.seq + 1, bytes: row.bytes };
  }

  read(key: LogKey, from: number, maxBytes: number): Promise<Batch[]> {
    return this.#reader.batches(key, from, maxBytes);
  }

  record(key: LogKey, seq: number): Promise<StoredEvent | null> {
    return seq < 0 ? Promise.resolve(null) : this.#reader.record(key, seq);
  }

  recordNow(key: LogKey, seq: number): StoredEvent | null {
    return this.#reader.cache.record(key, seq) ?? null;
  }

  findId(key: LogKey, id: Uint8Array): Promise<number> {
    return this.#index.find(key, 'id', id);
  }

  findHash(key: LogKey, hash: Uint8Array): Promise<number> {
    return this.#index.find(key, 'hash', hash);
  }

  candidates(key: LogKey, plan: CandidatePlan): Iterable<number | Promise<unknown>> {
    return readAhead(this.#reader, key, this.#index.candidates(key, plan));
  }

  async seqAtTime(key: LogKey, time: number): Promise<number> {
    let low = 0;
    let high = ((await this.#reader.head(key))?.head.seq ?? -1) + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const record = this.#reader.cache.skeleton(key, middle) ?? (await this.#reader.skeleton(key, middle, false));
      if (record === null) throw new LogDamaged(key, middle, 'order of the batches');
      if (readInt(record, 16) >= time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  closing(key: LogKey, index: number): Promise<Uint8Array | null> {
    return this.#reader.closing(key, index);
  }

  closingOf(key: LogKey, seq: number): Promise<Uint8Array | null> {
    return seq < 0 ? Promise.resolve(null) : this.#reader.closingOf(key, seq);
  }

  node(key: LogKey, level: number, index: number): Promise<Uint8Array | null> {
    return this.#reader.node(key, level, index);
  }

  async checkpoint(key: LogKey, epoch: Epoch, checkpoint: NewCheckpoint): Promise<void> {
    const { put, remove } = await this.#checkpoints.prepare(key, checkpoint);
    const lane = laneKey(key);
    const rows = put.flatMap((row) => [checkpointField(asBuffer(row.key)), row.value]);
    const gone = remove.map((row) => checkpointField(asBuffer(row)));
    const written = await this.#counted(
      CHECKPOINT,
      [lane, checkpointsKey(lane)],
      [epochBytes(epoch), String(checkpoint.head.seq), String(put.length), ...rows, ...gone],
    );
    if (written !== 1) throw new LogUnavailable('fenced');
  }

  async archived(key: LogKey): Promise<number> {
    return Number(String((await this.#reader.fetch('HGET', laneKey(key), 'a')) ?? 0));
  }

  async moveArchived(key: LogKey, from: number, to: number): Promise<AppendResult> {
    const args = [String(from), String(to)];
    const moved = await this.#store.counted(ARCHIVED, [laneKey(key)], args).catch(asUnknown);
    return moved === 'unknown' ? moved : moved === 1 ? 'ok' : 'fenced';
  }

  erased(): Promise<void> {
    return this.#eraser.finished();
  }

  release(key: LogKey): void {
    this.#index.release(key);
    this.#reader.cache.release(key);
  }

  /**
   * To be called on each new connection. What was read from the primary before may have been durable nowhere: on this one
   * other events may stand under the same seqs, and no generation of a log tells the two apart.
   */
  forget(): void {
    this.#reader.cache.forget();
    this.#indexStorage.forget();
    this.#index.forget();
  }

  async replaceTail(
    key: LogKey,
    epoch: Epoch,
    keep: Head,
    batches: readonly Batch[],
    head: Head,
    timestamp: number,
    dueAt: number,
  ): Promise<AppendResult> {
    let reached = keep;
    for (const batch of batches) reached = foldHead(reached, asBuffer(batch.skeleton));
    if (!sameHead(reached, head)) throw new Error('The batches do not lead from the head that is kept to the new one.');
    for (let i = 0; i < TRIES; i++) {
      const row = await this.#reader.head(key);
      if (row === null || !epochBytes(row.epoch).equals(epochBytes(epoch))) return 'fenced';
      const plan = await planReplacement(key, this.#reader, row, { keep, batches, head, timestamp, dueAt });
      if (plan === null) return 'fenced';
      const written = await this.#store.counted(REPLACE, plan.keys, plan.args).catch(asUnknown);
      this.release(key);
      if (written === 'unknown') return 'unknown';
      if (written !== 1) continue;
      this.#eraser.resume();
      return 'ok';
    }
    return 'unknown';
  }

  async trim(key: LogKey, epoch: Epoch, upto: number): Promise<number> {
    const last = await this.#reader.closing(key, (await this.archived(key)) - 1);
    const archived = last === null ? 0 : readInt(last, 16) + last.readUInt32LE(24);
    for (let i = 0; i < TRIES; i++) {
      const row = await this.#reader.head(key);
      if (row === null || !epochBytes(row.epoch).equals(epochBytes(epoch))) throw new LogUnavailable('fenced');
      const plan = await planTrim(key, epoch, this.#reader, row, Math.min(upto, archived));
      if (plan === null) return row.trimmed;
      if ((await this.#counted(TRIM, plan.keys, plan.args)) === 1) return plan.trimmed;
    }
    throw new LogUnavailable('unknown');
  }

  /**
   * Trims as far as archive and checkpoint allow, whoever owns the log; what is archived has been released. An owner that
   * is opening or appending meanwhile is not disturbed: its reads go to the archive. Rejects as `trim` does.
   */
  async trimArchived(key: LogKey): Promise<number> {
    const row = await this.#reader.head(key);
    if (row === null) return 0;
    const fields = (await this.#reader.fetch('HKEYS', checkpointsKey(laneKey(key)))) as Buffer[];
    const prefix = prefixOf(key);
    const seqs = fields.map((field) => checkpointSeq(checkpointRowKey(prefix, field)));
    const upto = Math.max(-1, ...seqs) + 1;
    return upto <= row.trimmed ? row.trimmed : this.trim(key, row.epoch, upto);
  }

  async due(until: number, limit: number): Promise<{ key: LogKey; dueAt: number }[]> {
    const rows = await this.#reader.fetch(
      'ZRANGE',
      DUE,
      '-inf',
      String(until),
      'BYSCORE',
      'LIMIT',
      '0',
      String(limit),
      'WITHSCORES',
    );
    const found: { key: LogKey; dueAt: number }[] = [];
    const list = rows as Buffer[];
    for (let i = 0; i + 1 < list.length; i += 2)
      found.push({ key: keyOf(list[i] as Buffer, 0), dueAt: Number(String(list[i + 1])) });
    return found;
  }

  async list(after: LogKey | null, limit: number): Promise<LogKey[]> {
    const start = after === null ? '-' : Buffer.concat([Buffer.from('('), prefixOf(after)]);
    const rows = await this.#reader.fetch('ZRANGE', LOGS, start, '+', 'BYLEX', 'LIMIT', '0', String(limit));
    return (rows as Buffer[]).map((member) => keyOf(member, 0));
  }

  async close(): Promise<void> {
    this.#index.close();
    this.#eraser.close();
    await this.#rewriter.close();
    await this.#store.close();
  }

  async #counted(script: Script, keys: readonly Arg[], args: readonly Arg[]): Promise<Reply> {
    try {
      return await this.#store.counted(script, keys, args);
    } catch (error) {
      throw error instanceof RedisUnknown ? new LogUnavailable('unknown') : error;
    }
  }
}

/** Adds the closings of a batch to an append: their keys, where they are not the lane hash, and three arguments each. */
function pushClosings(lane: string, prefix: Buffer, batch: Batch, keys: Arg[], args: Arg[]): number {
  const skeleton = asBuffer(batch.skeleton);
  let closings = 0;
  eachRecord(skeleton, (at, length, kind) => {
    if (kind !== RECORD_CLOSING) return;
    const index = readInt(skeleton, at + 8);
    const key = closingKey(lane, index);
    if (keys.indexOf(key) < 0) keys.push(key);
    const row = encodeClosing(skeleton.subarray(at, at + length), numberKey(prefix, index));
    args.push(String(keys.indexOf(key) + 1), closingField(index), row);
    closings++;
  });
  return closings;
}

function asUnknown(error: unknown): 'unknown' {
  if (error instanceof RedisUnknown) return 'unknown';
  throw error;
}

function checkpointRows(reader: LogReader): CheckpointRows {
  const hashOf = (prefix: Buffer): string => checkpointsKey(laneKey(keyOf(prefix, 0)));
  return {
    keys: async (prefix) => {
      const fields = (await reader.fetch('HKEYS', hashOf(prefix))) as Buffer[];
      return fields.map((field) => checkpointRowKey(prefix, field)).sort(Buffer.compare);
    },
    get: async (key) => {
      const row = (await reader.fetch('HGET', hashOf(key), checkpointField(key))) as Buffer | null;
      return row === null ? undefined : Buffer.from(row);
    },
  };
}
