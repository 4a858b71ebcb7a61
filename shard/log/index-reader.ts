import { RECORD_EVENT } from '../../kernel/kernel.ts';
import { asBuffer } from './bytes.ts';
import type { Batch, CandidatePlan, LogKey } from './enclave-log.ts';
import { IndexBuilder, SLICE_MS } from './index-builder.ts';
import {
  bytesPrefix,
  FIELD_FROM,
  FIELD_HASH,
  FIELD_ID,
  FIELD_TAG,
  FIELD_TARGET,
  FIELD_TYPE,
  IndexColumns,
  SEGMENT,
  tagPrefix,
  textPrefix,
} from './index-columns.ts';
import { BLOCK, BLOCK_SEGMENTS, indexKey, segmentPart } from './index-rows.ts';
import { finish, type IndexStorage, type SearchStep, settled } from './index-storage.ts';
import { eachRecord } from './records.ts';
import { nameOf, prefixOf } from './row-keys.ts';

/** Enclaves whose unfinished segment is kept in memory at most (about 100 KiB each); the least recently used goes. */
const TAILS = 1024;

/** Segments whose rows are announced to the storage at once. */
const AHEAD = 8;

/** One condition: an event must have one of these prefixes in this field. */
interface Term {
  readonly field: number;
  readonly prefixes: readonly number[];
}

/** Answers lookups from sorted segments, and from memory for the segment that is not full yet. */
export class IndexReader {
  readonly #storage: IndexStorage;
  readonly #builder: IndexBuilder;
  /** by key prefix; made by the first append of a segment or the first lookup, kept up to date by appends */
  readonly #tails = new Map<string, IndexColumns>();

  constructor(storage: IndexStorage) {
    this.#storage = storage;
    this.#builder = new IndexBuilder(storage);
  }

  /** A durable batch: full segments are handed to the builder. */
  appended(key: LogKey, batch: Batch): void {
    if (batch.events === 0) return;
    const name = nameOf(key);
    const tail = this.#tails.get(name) ?? this.#started(name, batch.firstSeq);
    if (tail === undefined || tail.next < batch.firstSeq) {
      // The next lookup reads what it needs.
      const end = batch.firstSeq + batch.events;
      for (let segment = Math.floor(batch.firstSeq / SEGMENT); (segment + 1) * SEGMENT <= end; segment++) {
        this.#builder.enqueue(key, segment, null);
      }
      return;
    }
    let columns = tail;
    let seq = batch.firstSeq;
    const skeleton = asBuffer(batch.skeleton);
    eachRecord(skeleton, (at, length, kind) => {
      // A lookup may have read further than this callback.
      if (kind !== RECORD_EVENT || seq++ < columns.next) return;
      columns.add(skeleton.subarray(at, at + length));
      if (columns.count < SEGMENT) return;
      this.#builder.enqueue(key, columns.segment, columns);
      columns = new IndexColumns(columns.segment + 1);
    });
    if (columns !== tail) this.#tails.set(name, columns);
  }

  /** Columns that begin with this batch, so that the builder need not read the segment back; while there is room. */
  #started(name: string, firstSeq: number): IndexColumns | undefined {
    if (firstSeq % SEGMENT !== 0 || this.#tails.size >= TAILS) return undefined;
    const columns = new IndexColumns(firstSeq / SEGMENT);
    this.#tails.set(name, columns);
    return columns;
  }

  /** seq of the event with this id or commit hash, −1 if there is none. */
  find(key: LogKey, field: 'id' | 'hash', value: Uint8Array): Promise<number> {
    return finish(this.#find(key, field === 'id' ? FIELD_ID : FIELD_HASH, value));
  }

  /** As EnclaveLog.candidates. */
  *candidates(key: LogKey, plan: CandidatePlan): Generator<number | Promise<unknown>> {
    const state = yield* asPauses(settled(this.#storage.state(key)));
    const head = state?.seq ?? -1;
    const from = Math.max(0, plan.from);
    const to = Math.min(plan.to, head);
    const listed = yield* this.#listed(key, plan);
    if (listed !== null) {
      for (const seq of listed) if (seq >= from && seq <= to) yield seq;
      return;
    }
    const terms = termsOf(plan);
    if (terms.length === 0) {
      if (plan.reverse) for (let seq = to; seq >= from; seq--) yield seq;
      else for (let seq = from; seq <= to; seq++) yield seq;
      return;
    }
    if (state === null || from > to) return;
    const prefix = prefixOf(key);
    const first = Math.floor(from / SEGMENT);
    const last = Math.floor(to / SEGMENT);
    let slice = performance.now() + SLICE_MS;
    for (let i = 0; i <= last - first; i++) {
      const segment = plan.reverse ? last - i : first + i;
      if (this.#storage.ahead !== null && i % AHEAD === 0) {
        const rows: Buffer[] = [];
        for (let n = 0; n < AHEAD && i + n <= last - first; n++) {
          const next = plan.reverse ? segment - n : segment + n;
          if ((next + 1) * SEGMENT <= head + 1) rows.push(...rowKeysOf(prefix, next, terms));
        }
        if (rows.length > 0) yield this.#storage.ahead(rows, state.generation);
      }
      const bits = yield* asPauses(this.#match(key, prefix, state.generation, segment, terms, head));
      if (bits !== null)
        for (const offset of offsetsOf(bits, plan.reverse)) {
          const seq = segment * SEGMENT + offset;
          if (seq >= from && seq <= to) yield seq;
        }
      if (performance.now() > slice) {
        yield -1;
        slice = performance.now() + SLICE_MS;
      }
    }
  }

  release(key: LogKey): void {
    this.#tails.delete(nameOf(key));
  }

  /** Nothing that was read before says anything any more. */
  forget(): void {
    this.#tails.clear();
  }

  close(): void {
    this.#builder.close();
  }

  /** Seqs that the plan names itself, by seq or by id, in its order; null if it names none. */
  *#listed(key: LogKey, plan: CandidatePlan): Generator<number | Promise<unknown>, number[] | null> {
    if (plan.ids === undefined && plan.seqs === undefined) return null;
    let seqs = new Set(plan.seqs ?? []);
    if (plan.ids !== undefined) {
      const found = new Set<number>();
      for (const id of plan.ids) found.add(yield* asPauses(this.#find(key, FIELD_ID, id)));
      seqs = plan.seqs === undefined ? found : new Set([...seqs].filter((seq) => found.has(seq)));
    }
    return [...seqs].sort((a, b) => (plan.reverse ? b - a : a - b));
  }

  *#find(key: LogKey, field: number, value: Uint8Array): Generator<SearchStep, number> {
    const state = yield* settled(this.#storage.state(key));
    if (state === null || state.seq < 0) return -1;
    const prefix = prefixOf(key);
    const short = bytesPrefix(value);
    const at = field === FIELD_ID ? 48 : 80;
    const storage = this.#storage;
    function* first(seqs: readonly number[]): Generator<SearchStep, number> {
      for (const seq of seqs) {
        const record = yield* settled(storage.skeleton(key, seq, false));
        if (record?.compare(value, 0, 32, at, at + 32) === 0) return seq;
      }
      return -1;
    }
    const tail = yield* this.#tail(key, state.seq);
    const seqs: number[] = [];
    tail.scan(field, short, (offset) => seqs.push(tail.segment * SEGMENT + offset));
    const recent = yield* first(seqs);
    if (recent >= 0) return recent;
    let segment = tail.segment - 1;
    while (segment >= 0) {
      const found: number[] = [];
      const block = Math.floor(segment / BLOCK_SEGMENTS);
      const wide =
        segment % BLOCK_SEGMENTS === BLOCK_SEGMENTS - 1
          ? yield* settled(storage.row(indexKey(prefix, BLOCK + field, block, short >>> 24), state.generation))
          : null;
      if (wide !== null) {
        wide.each(short * SEGMENT * BLOCK_SEGMENTS, SEGMENT * BLOCK_SEGMENTS, (offset) =>
          found.push(block * BLOCK_SEGMENTS * SEGMENT + offset),
        );
        segment -= BLOCK_SEGMENTS;
      } else {
        const start = segment * SEGMENT;
        yield* this.#each(key, prefix, state.generation, segment, field, [short], (offset) =>
          found.push(start + offset),
        );
        segment--;
      }
      const seq = yield* first(found);
      if (seq >= 0) return seq;
    }
    return -1;
  }

  /** The events of a segment that meet all terms, as bits; null if there are none. */
  *#match(
    key: LogKey,
    prefix: Buffer,
    generation: number,
    segment: number,
    terms: readonly Term[],
    head: number,
  ): Generator<SearchStep, Uint32Array | null> {
    const full = (segment + 1) * SEGMENT <= head + 1;
    let all: Uint32Array | null = null;
    for (const term of terms) {
      const bits = new Uint32Array(SEGMENT / 32);
      let some = false;
      const set = (offset: number): void => {
        some = true;
        bits[offset >>> 5] = (bits[offset >>> 5] as number) | (1 << (offset & 31));
      };
      const tail = full ? null : yield* this.#tail(key, head);
      if (tail?.segment === segment) for (const short of term.prefixes) tail.scan(term.field, short, set);
      else yield* this.#each(key, prefix, generation, segment, term.field, term.prefixes, set);
      if (!some) return null;
      if (all === null) all = bits;
      else for (let i = 0; i < bits.length; i++) all[i] = (all[i] as number) & (bits[i] as number);
    }
    return all;
  }

  /** Offsets in a full segment; a segment without a usable row is built, and written for the next time. */
  *#each(
    key: LogKey,
    prefix: Buffer,
    generation: number,
    segment: number,
    field: number,
    prefixes: readonly number[],
    found: (offset: number) => void,
  ): Generator<SearchStep, void> {
    let missing = false;
    for (const short of prefixes) {
      const row = yield* settled(this.#storage.row(indexKey(prefix, field, segment, segmentPart(short)), generation));
      if (row === null) missing = true;
      else row.each(short * SEGMENT, SEGMENT, found);
    }
    if (!missing) return;
    const columns = yield* this.#builder.build(key, segment, null);
    for (const short of prefixes) columns.scan(field, short, found);
  }

  /** The columns of the segment that is not full at `head`, read from the records if they are not in memory. */
  *#tail(key: LogKey, head: number): Generator<SearchStep, IndexColumns> {
    const name = nameOf(key);
    const segment = Math.floor((head + 1) / SEGMENT);
    const known = this.#tails.get(name);
    const columns = known !== undefined && known.segment >= segment ? known : new IndexColumns(segment);
    this.#tails.delete(name);
    this.#tails.set(name, columns);
    if (this.#tails.size > TAILS)
      for (const oldest of this.#tails.keys()) {
        this.#tails.delete(oldest);
        break;
      }
    return yield* this.#builder.extend(key, columns, head + 1);
  }
}

/** Steps of a search as those of EnclaveLog.candidates. */
function* asPauses<T>(steps: Generator<SearchStep, T>): Generator<number | Promise<unknown>, T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield step.value ?? -1;
  }
}

function rowKeysOf(prefix: Buffer, segment: number, terms: readonly Term[]): Buffer[] {
  return terms.flatMap(({ field, prefixes }) => [
    ...new Map(
      prefixes.map((short) => [segmentPart(short), indexKey(prefix, field, segment, segmentPart(short))]),
    ).values(),
  ]);
}

function termsOf(plan: CandidatePlan): Term[] {
  const terms: Term[] = [];
  if (plan.targets !== undefined)
    terms.push({ field: FIELD_TARGET, prefixes: plan.targets.map((value) => bytesPrefix(value)) });
  for (const tag of plan.tags ?? [])
    terms.push({
      field: FIELD_TAG,
      prefixes:
        tag.values === null ? [tagPrefix(tag.name, null)] : tag.values.map((value) => tagPrefix(tag.name, value)),
    });
  if (plan.froms !== undefined)
    terms.push({ field: FIELD_FROM, prefixes: plan.froms.map((value) => bytesPrefix(value)) });
  if (plan.types !== undefined) terms.push({ field: FIELD_TYPE, prefixes: plan.types.map(textPrefix) });
  return terms;
}

function* offsetsOf(bits: Uint32Array, reverse: boolean): Generator<number> {
  for (let i = 0; i < bits.length; i++) {
    const at = reverse ? bits.length - 1 - i : i;
    let word = (bits[at] as number) >>> 0;
    while (word !== 0) {
      const bit = reverse ? 31 - Math.clz32(word) : 31 - Math.clz32(word & -word);
      yield at * 32 + bit;
      word = (word & ~(1 << bit)) >>> 0;
    }
  }
}
