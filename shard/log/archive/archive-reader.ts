import { type CheckedPart, recordNow } from '../../../protocol/archive-check.ts';
import { ArchiveDamaged, ArchiveFormat } from '../../../protocol/archive-object.ts';
import { readClosingRecord } from '../../../protocol/records.ts';
import type { Verifier } from '../../../protocol/secp.ts';
import type { Batch, LogKey, StoredEvent } from '../enclave-log.ts';
import { LogDamaged } from '../log-errors.ts';
import { checkPart, objectName } from './archived-object.ts';
import type { ObjectStore } from './object-store.ts';

/**
 * What a log that has trimmed archived bundles reads through. It keeps the closing records of all bundles, and hands in
 * the one whose events it wants: what comes out is those events, verified against it. Rejects with LogDamaged when the
 * archive has lost or changed them, with StoreUnavailable when nobody knows.
 */
export interface ArchiveReader {
  /**
   * The events of a closed bundle from `from` on as batches, in order, the closing behind the last: a closing's batch is
   * the last of them. `from` is one of its seqs; the first batch may begin earlier.
   */
  batches(key: LogKey, closing: Uint8Array, from: number): AsyncGenerator<Batch>;
  /** Event `seq`, which is in the bundle. */
  record(key: LogKey, closing: Uint8Array, seq: number): Promise<StoredEvent>;
}

/** Checked parts that are kept, in bytes; the least recently used goes first. */
const KEPT_BYTES = 32 * 1024 * 1024;
/** All of it goes so long after the first was taken in: a Delete may be carried out in the store by another process, ms. */
const KEPT_MS = 60_000;
/** An object may be read while a Delete is being carried out in it. */
const REREADS = 3;

interface Kept {
  readonly checked: CheckedPart;
  readonly bytes: number;
}

export class StoredArchive implements ArchiveReader {
  readonly #store: ObjectStore;
  readonly #verifier: Verifier;
  /** by object, least recently used first */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(store: ObjectStore, verifier: Verifier) {
    this.#store = store;
    this.#verifier = verifier;
  }

  async *batches(key: LogKey, closing: Uint8Array, from: number): AsyncGenerator<Batch> {
    const { firstSeq, size } = readClosingRecord(closing);
    for (let part = 0, next = firstSeq; next < firstSeq + size; part++) {
      const checked = await this.#part(key, closing, part, next);
      next += checked.part.events;
      if (next > from) yield batchOf(checked, next === firstSeq + size ? closing : null);
    }
  }

  async record(key: LogKey, closing: Uint8Array, seq: number): Promise<StoredEvent> {
    const { firstSeq, size } = readClosingRecord(closing);
    for (let part = 0, next = firstSeq; next < firstSeq + size; part++) {
      const checked = await this.#part(key, closing, part, next);
      const event = checked.events[seq - next];
      if (event !== undefined) return { record: recordNow(event), content: event.content };
      next += checked.part.events;
    }
    throw new RangeError(`event ${seq} is not in this bundle`);
  }

  /** Contents that a Delete takes out must not be handed on from memory. */
  forget(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#kept.clear();
    this.#bytes = 0;
  }

  async close(): Promise<void> {
    this.forget();
    await this.#store.close();
  }

  async #part(key: LogKey, closing: Uint8Array, part: number, from: number): Promise<CheckedPart> {
    const { index } = readClosingRecord(closing);
    const object = objectName(key, index, part);
    const kept = this.#kept.get(object);
    if (kept !== undefined && Buffer.compare(kept.checked.part.closing, closing) === 0) {
      this.#kept.delete(object);
      this.#kept.set(object, kept);
      return kept.checked;
    }
    for (let again = 0; ; again++) {
      const bytes = await this.#store.get(object);
      if (bytes === null) throw new LogDamaged(key, from, 'archived bundle');
      try {
        const checked = await checkPart(bytes, key, closing, index, part, this.#verifier);
        if (checked.part.from !== from) throw new ArchiveDamaged('its parts do not follow on each other');
        this.#keep(object, { checked, bytes: bytes.length });
        return checked;
      } catch (error) {
        if (!(error instanceof ArchiveDamaged || error instanceof ArchiveFormat)) throw error;
        if (again === REREADS) throw new LogDamaged(key, from, 'archived bundle');
      }
    }
  }

  #keep(object: string, kept: Kept): void {
    this.#timer ??= setTimeout(() => this.forget(), KEPT_MS).unref();
    this.#bytes += kept.bytes - (this.#kept.get(object)?.bytes ?? 0);
    this.#kept.delete(object);
    this.#kept.set(object, kept);
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}

/** As the log would have it: erased contents are gone from record and content, the closing is the log's own. */
function batchOf(checked: CheckedPart, closing: Uint8Array | null): Batch {
  const records = checked.events.map(recordNow);
  if (checked.genesis !== null) records.splice(1, 0, checked.genesis);
  if (closing !== null) records.push(closing);
  return {
    firstSeq: checked.part.from,
    events: checked.part.events,
    closings: (closing === null ? 0 : 1) + (checked.genesis === null ? 0 : 1),
    skeleton: new Uint8Array(Buffer.concat(records)),
    content: new Uint8Array(Buffer.concat(checked.events.map(({ content }) => content))),
  };
}
