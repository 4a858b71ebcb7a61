import { RULES_VERSION } from '../../../kernel/kernel.ts';
import { ARCHIVE_PART_BYTES, type ArchivePart } from '../../../protocol/archive-object.ts';
import type { ClosingRecord } from '../../../protocol/records.ts';
import type { EnclaveLog, LogKey } from '../enclave-log.ts';
import { deletedBy, goesWith, type LoggedEvent, loggedEvents, withoutContent } from './bundle-events.ts';

/** A closed bundle of the log that is to be archived. */
export interface ClosedBundle {
  readonly key: LogKey;
  /** the log's closing record, and what it says */
  readonly record: Uint8Array;
  readonly closing: ClosingRecord;
}

/** What has to be known of a bundle before its first part can be made. */
export interface Survey {
  readonly ids: Uint8Array;
  /** ids that Deletes in this bundle name, hex: their contents never get into its objects */
  readonly deleted: ReadonlySet<string>;
  /** a content is gone: parts that were made before may have ended elsewhere */
  readonly erased: boolean;
  /** seq behind the last event of the first part, if it is made as large as may be */
  readonly firstEnd: number;
}

/** Makes the parts of a bundle, each of bounded size. */
export class PartBuilder {
  readonly #log: EnclaveLog;
  readonly #bytes: number;

  /** `bytes`: of a part, at most; tests make it small */
  constructor(log: EnclaveLog, bytes = ARCHIVE_PART_BYTES) {
    this.#log = log;
    this.#bytes = bytes;
  }

  async survey({ key, closing }: ClosedBundle): Promise<Survey> {
    const ids = new Uint8Array(32 * closing.size);
    const deleted = new Set<string>();
    const end = closing.firstSeq + closing.size;
    let firstEnd = closing.firstSeq;
    let bytes = 0;
    let erased = false;
    for await (const event of loggedEvents(this.#log, key, closing.firstSeq, end)) {
      ids.set(event.record.subarray(48, 80), 32 * (event.seq - closing.firstSeq));
      const target = deletedBy(event.record);
      if (target !== null) deleted.add(target);
      erased ||= event.content.length === 0;
      bytes += sizeOf(event);
      if (bytes <= this.#bytes || event.seq === closing.firstSeq) firstEnd = event.seq + 1;
    }
    return { ids, deleted, erased, firstEnd };
  }

  /** The part that begins at event `from` and ends before `limit` at the latest. */
  async build(bundle: ClosedBundle, survey: Survey, part: number, from: number, limit: number): Promise<ArchivePart> {
    const { key, closing, record } = bundle;
    const records: Uint8Array[] = [];
    const contents: Uint8Array[] = [];
    let events = 0;
    let bytes = 0;
    for await (const logged of loggedEvents(this.#log, key, from, limit)) {
      bytes += sizeOf(logged);
      // The first part ends where it was planned: a later one may be there already.
      if (part > 0 && events > 0 && bytes > this.#bytes) break;
      const event = goesWith(logged.record, survey.deleted) ? withoutContent(logged) : logged;
      records.push(event.record);
      if (event.genesis !== null) records.push(event.genesis);
      contents.push(event.content);
      events++;
    }
    const several = events < closing.size;
    return {
      ...{ rules: RULES_VERSION, part, lane: key.lane, enclave: key.enclave, bundle: closing.index },
      ...{ firstSeq: closing.firstSeq, size: closing.size, from, events, closing: record },
      ids: several ? survey.ids : new Uint8Array(0),
      records: Buffer.concat(records),
      contents: Buffer.concat(contents),
    };
  }
}

function sizeOf(event: LoggedEvent): number {
  return event.record.length + event.content.length;
}
