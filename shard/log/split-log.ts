import type { Head } from '../../kernel/kernel.ts';
import { shardOf } from '../../protocol/jump.ts';
import type {
  Append,
  AppendResult,
  Batch,
  CandidatePlan,
  EnclaveLog,
  Epoch,
  LogKey,
  NewCheckpoint,
  Opened,
  StoredEvent,
  Usage,
} from './enclave-log.ts';
import { nameOf, prefixOf } from './row-keys.ts';

/** Enclaves whose place is remembered: it takes some µs to compute. */
const REMEMBERED = 16_384;

/** Which of `logs` servers holds an enclave: the jump hash of its id (PROTOCOL §12), so that growing by one moves 1 in n. */
export function logOf(enclave: Uint8Array, logs: number): number {
  return shardOf(enclave, logs);
}

/**
 * One log over several that know nothing of each other: no single server's memory or CPU is a ceiling. Their number
 * changes by moving the enclaves concerned (redis/move-enclaves.ts), never by itself.
 */
export class SplitLog implements EnclaveLog {
  readonly #logs: readonly EnclaveLog[];
  readonly #places = new Map<string, EnclaveLog>();

  constructor(logs: readonly EnclaveLog[]) {
    if (logs.length === 0) throw new Error('A split log needs at least one log.');
    this.#logs = logs;
  }

  #of(key: LogKey): EnclaveLog {
    const name = nameOf(key);
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const log = this.#logs[logOf(key.enclave, this.#logs.length)] as EnclaveLog;
    if (this.#places.size >= REMEMBERED) this.#places.clear();
    this.#places.set(name, log);
    return log;
  }

  /** Of all: a log that is new among others takes theirs. Rejects when two of them belong to different guards. */
  async guardId(): Promise<Uint8Array | null> {
    const ids = await Promise.all(this.#logs.map((log) => log.guardId()));
    const [first = null] = ids.filter((id) => id !== null);
    if (first === null) return null;
    if (ids.some((id) => id !== null && Buffer.compare(id, first) !== 0))
      throw new Error('The log servers belong to different guards: one of them is not of this cluster.');
    await Promise.all(this.#logs.filter((_, i) => ids[i] === null).map((log) => log.adoptGuard(first)));
    return first;
  }

  async adoptGuard(id: Uint8Array): Promise<void> {
    await Promise.all(this.#logs.map((log) => log.adoptGuard(id)));
  }

  open(key: LogKey, owner: Uint8Array, recovering?: boolean): Promise<Opened> {
    return this.#of(key).open(key, owner, recovering);
  }

  append(append: Append): void {
    this.#of(append.key).append(append);
  }

  owner(key: LogKey): Promise<Epoch | null> {
    return this.#of(key).owner(key);
  }

  head(key: LogKey): Promise<Head | null> {
    return this.#of(key).head(key);
  }

  read(key: LogKey, from: number, maxBytes: number): Promise<Batch[]> {
    return this.#of(key).read(key, from, maxBytes);
  }

  findId(key: LogKey, id: Uint8Array): Promise<number> {
    return this.#of(key).findId(key, id);
  }

  findHash(key: LogKey, hash: Uint8Array): Promise<number> {
    return this.#of(key).findHash(key, hash);
  }

  closing(key: LogKey, index: number): Promise<Uint8Array | null> {
    return this.#of(key).closing(key, index);
  }

  closingOf(key: LogKey, seq: number): Promise<Uint8Array | null> {
    return this.#of(key).closingOf(key, seq);
  }

  node(key: LogKey, level: number, index: number): Promise<Uint8Array | null> {
    return this.#of(key).node(key, level, index);
  }

  checkpoint(key: LogKey, epoch: Epoch, checkpoint: NewCheckpoint): Promise<void> {
    return this.#of(key).checkpoint(key, epoch, checkpoint);
  }

  archived(key: LogKey): Promise<number> {
    return this.#of(key).archived(key);
  }

  moveArchived(key: LogKey, from: number, to: number): Promise<AppendResult> {
    return this.#of(key).moveArchived(key, from, to);
  }

  async erased(): Promise<void> {
    await Promise.all(this.#logs.map((log) => log.erased()));
  }

  release(key: LogKey): void {
    this.#of(key).release(key);
  }

  replaceTail(
    key: LogKey,
    epoch: Epoch,
    keep: Head,
    batches: readonly Batch[],
    head: Head,
    timestamp: number,
    dueAt: number,
  ): Promise<AppendResult> {
    return this.#of(key).replaceTail(key, epoch, keep, batches, head, timestamp, dueAt);
  }

  trim(key: LogKey, epoch: Epoch, upto: number): Promise<number> {
    return this.#of(key).trim(key, epoch, upto);
  }

  record(key: LogKey, seq: number): Promise<StoredEvent | null> {
    return this.#of(key).record(key, seq);
  }

  recordNow(key: LogKey, seq: number): StoredEvent | null {
    return this.#of(key).recordNow(key, seq);
  }

  candidates(key: LogKey, plan: CandidatePlan): Iterable<number | Promise<unknown>> {
    return this.#of(key).candidates(key, plan);
  }

  seqAtTime(key: LogKey, time: number): Promise<number> {
    return this.#of(key).seqAtTime(key, time);
  }

  usage(key: LogKey): Promise<Usage | null> {
    return this.#of(key).usage(key);
  }

  async due(until: number, limit: number): Promise<{ key: LogKey; dueAt: number }[]> {
    const all = (await Promise.all(this.#logs.map((log) => log.due(until, limit)))).flat();
    return all.sort((a, b) => a.dueAt - b.dueAt).slice(0, limit);
  }

  async list(after: LogKey | null, limit: number): Promise<LogKey[]> {
    const all = (await Promise.all(this.#logs.map((log) => log.list(after, limit)))).flat();
    return all.sort((a, b) => Buffer.compare(prefixOf(a), prefixOf(b))).slice(0, limit);
  }

  async close(): Promise<void> {
    await Promise.all(this.#logs.map((log) => log.close()));
  }
}
