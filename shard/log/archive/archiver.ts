import type { CheckedPart } from '../../../protocol/archive-check.ts';
import { type ArchivePart, buildArchivePart } from '../../../protocol/archive-object.ts';
import { readClosingRecord } from '../../../protocol/records.ts';
import type { Verifier } from '../../../protocol/secp.ts';
import type { ReleaseGuard } from '../../guard/release-guard.ts';
import type { EnclaveLog, LogKey } from '../enclave-log.ts';
import { LogDamaged, LogUnavailable } from '../log-errors.ts';
import { ArchiveConflict } from './archive-errors.ts';
import { checkPart, conflicting, contentRanges, objectName, withheldBy } from './archived-object.ts';
import { eventsOfTarget } from './bundle-events.ts';
import type { ObjectStore } from './object-store.ts';
import { type ClosedBundle, PartBuilder } from './part-builder.ts';

export interface ArchiverModules {
  readonly log: EnclaveLog;
  readonly guard: Pick<ReleaseGuard, 'read'>;
  readonly store: ObjectStore;
  readonly verifier: Verifier;
  /** bytes of a part at most, if not ARCHIVE_PART_BYTES */
  readonly partBytes?: number;
  /** a bundle is in the archive and the cursor behind it; bytes as they lie there */
  readonly onArchived?: (key: LogKey, bytes: number) => void;
  /** contents have been erased in the archive: whoever has them in memory must forget them */
  readonly onErased?: () => void;
}

/**
 * Brings the closed bundles of a log into the archive, in order, up to the release watermark. The effects for one
 * bundle, and what a crash right behind each of them means:
 *
 *   put     its objects, each created only if there is none; several parts: the first one last, so that whoever sees
 *           it knows that the bundle is whole. Crash: the next run finds them, and goes on.
 *   verify  what the store gives back, made by whomever, is held against the log's own closing. Another bundle there
 *           is an ArchiveConflict: the cursor stays. Crash: nothing happened.
 *   erase   what Deletes in this bundle took out of earlier ones, in those objects, and look again. Crash: the next
 *           run does it once more; zeros over zeros.
 *   cursor  old → new, in the log. Crash before it: all of this again, to the same end.
 *
 * So the cursor alone says what is done, two archivers at a time do no harm, and a job that comes twice, late or never
 * (archive-hints.ts) costs time only. A Delete is carried out here when its own bundle is archived: whoever checks the
 * archive alone finds the reason of every content that is gone.
 */
export class Archiver {
  readonly #m: ArchiverModules;
  readonly #parts: PartBuilder;

  constructor(modules: ArchiverModules) {
    this.#m = modules;
    this.#parts = new PartBuilder(modules.log, modules.partBytes);
  }

  /** Closed and released bundles of this log that are not archived yet. */
  async lag(key: LogKey): Promise<number> {
    return Math.max(0, (await this.#released(key)) - (await this.#m.log.archived(key)));
  }

  /**
   * Archives what is closed and released. Rejects with StoreUnavailable, ArchiveConflict, LogDamaged, LogUnavailable;
   * what was done until then stays done.
   */
  async run(key: LogKey, signal?: AbortSignal): Promise<void> {
    const { log } = this.#m;
    const end = await this.#released(key);
    for (let at = await log.archived(key); at < end && !signal?.aborted; ) {
      const record = await log.closing(key, at);
      if (record === null) throw new LogDamaged(key, -1, 'bundle closing');
      const bytes = await this.#archive({ key, record, closing: readClosingRecord(record) });
      const result = await log.moveArchived(key, at, at + 1);
      if (result === 'unknown') throw new LogUnavailable('unknown');
      if (result === 'ok') {
        this.#m.onArchived?.(key, bytes);
        at++;
        continue;
      }
      // Somebody else has moved it.
      const now = await log.archived(key);
      if (now <= at) return;
      at = now;
    }
  }

  /** 0 also for a log that lacks what was released: it is regressed, and nothing of it may become the archive. */
  async #released(key: LogKey): Promise<number> {
    const row = await this.#m.guard.read(key);
    const head = await this.#m.log.head(key);
    return row && head && head.seq >= row.seq && head.bundles >= row.bundles ? row.bundles : 0;
  }

  async #archive(bundle: ClosedBundle): Promise<number> {
    const { key, closing } = bundle;
    const survey = await this.#parts.survey(bundle);
    const end = closing.firstSeq + closing.size;
    let bytes = 0;
    let firstEnd = survey.firstEnd;
    // Erasures move the plan: a part that is there already says where the first one ends.
    if (firstEnd < end || survey.erased) firstEnd = (await this.#find(bundle, 1))?.part.from ?? firstEnd;
    if (firstEnd < end) {
      for (let part = 1, from = firstEnd; from < end; part++) {
        const placed = await this.#place(bundle, await this.#parts.build(bundle, survey, part, from, end));
        from += placed.events;
        bytes += placed.bytes;
      }
    }
    const first = await this.#place(bundle, await this.#parts.build(bundle, survey, 0, closing.firstSeq, firstEnd));
    if (first.events !== firstEnd - closing.firstSeq)
      throw new ArchiveConflict(objectName(key, closing.index, 0), 'its parts overlap');
    await this.#erase(key, closing.index, survey.deleted, end - 1);
    return bytes + first.bytes;
  }

  /** Puts a part and reads it back. Where one is already, that one counts, if it is as good. */
  async #place(bundle: ClosedBundle, part: ArchivePart): Promise<{ events: number; bytes: number }> {
    const { key, closing } = bundle;
    const object = objectName(key, closing.index, part.part);
    const bytes = buildArchivePart(part);
    await this.#m.store.create(object, bytes);
    const kept = await this.#find(bundle, part.part);
    if (kept === null) throw new ArchiveConflict(object, 'it was written, and is not there');
    if (kept.part.from !== part.from) throw new ArchiveConflict(object, 'its parts do not follow on each other');
    for (const seq of await conflicting(object, () => withheldBy(kept, part))) {
      // Its Delete may have been carried out since this part was made.
      const stored = await this.#m.log.record(key, seq);
      if (stored !== null && stored.content.length > 0)
        throw new ArchiveConflict(object, `the content of event ${seq} is withheld`);
    }
    return { events: kept.part.events, bytes: bytes.length };
  }

  async #find(bundle: ClosedBundle, part: number): Promise<CheckedPart | null> {
    const { key, closing, record } = bundle;
    const object = objectName(key, closing.index, part);
    const bytes = await this.#m.store.get(object);
    if (bytes === null) return null;
    return conflicting(object, () => checkPart(bytes, key, record, closing.index, part, this.#m.verifier));
  }

  /** Carries out in earlier bundles what Deletes in bundle `index` took out. */
  async #erase(key: LogKey, index: number, deleted: ReadonlySet<string>, last: number): Promise<void> {
    const byBundle = new Map<number, { bundle: ClosedBundle; seqs: Set<number> }>();
    for (const id of deleted) {
      for (const seq of await eventsOfTarget(this.#m.log, key, id, last)) {
        const record = await this.#m.log.closingOf(key, seq);
        if (record === null) throw new LogDamaged(key, seq, 'bundle closing');
        const closing = readClosingRecord(record);
        if (closing.index >= index) continue;
        const entry = byBundle.get(closing.index) ?? { bundle: { key, record, closing }, seqs: new Set() };
        entry.seqs.add(seq);
        byBundle.set(closing.index, entry);
      }
    }
    for (const { bundle, seqs } of byBundle.values()) await this.#eraseIn(bundle, seqs);
  }

  async #eraseIn(bundle: ClosedBundle, seqs: ReadonlySet<number>): Promise<void> {
    const { key, closing, record } = bundle;
    const { store } = this.#m;
    for (let part = 0, next = closing.firstSeq; next < closing.firstSeq + closing.size; part++) {
      const object = objectName(key, closing.index, part);
      const bytes = await store.get(object);
      if (bytes === null) throw new ArchiveConflict(object, 'it is missing');
      const ranges = await conflicting(object, () => contentRanges(bytes, key, record, closing.index, part, seqs));
      if (ranges.length > 0) await store.erase(object, ranges);
      const kept = await this.#find(bundle, part);
      if (kept === null) throw new ArchiveConflict(object, 'it is missing');
      if (kept.events.some(({ event, erased }) => seqs.has(event.seq) && !erased))
        throw new ArchiveConflict(object, 'the store says that it has erased, and has not');
      next = kept.part.from + kept.part.events;
    }
    this.#m.onErased?.();
  }
}
