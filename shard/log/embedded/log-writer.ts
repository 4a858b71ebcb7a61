import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isDiskFull, mayCommitAgain } from '../../journal/durable-file.ts';
import { FRAME_HEADER, frame, framesOf } from '../../journal/frame.ts';
import { asBuffer } from '../bytes.ts';
import { appendStep, deletesStep } from './append-step.ts';
import { CONTENT_FILE_BYTES, ContentWriter, contentFileName, syncFolders } from './content-writer.ts';
import type { ContentPlace } from './entry-row.ts';
import { JOURNAL_BYTES, overwriteJournalKey, readOverwriteJournal } from './erase-journal.ts';
import { decodeRows } from './journal-rows.ts';
import { checkFormat } from './log-format.ts';
import { opStep } from './op-step.ts';
import { contentLength, contentOf, contentsOf, hasDeletes } from './packed-appends.ts';
import { PendingRows } from './pending-rows.ts';
import { APPENDED, type Appended, type LmdbStore, openStore } from './store.ts';
import { type AppendTransaction, journalOverwrite, type Transaction } from './transaction.ts';
import {
  CODE_FENCED,
  CODE_OK,
  CODE_UNKNOWN,
  type FromWriter,
  type GroupDone,
  type WriteGroup,
} from './writer-messages.ts';
import { WriterMeta } from './writer-meta.ts';

/** The journal's rows go to LMDB when there are so many groups or bytes of them: one commit for all, some milliseconds. */
const APPLY_GROUPS = 256;
const APPLY_BYTES = 4 * 1024 * 1024;

const NO_ROWS = new Uint8Array(0);

/**
 * The thread that owns every write, one group at a time. A group of appends is written to the journal, which makes it
 * durable in one piece, and is answered; its rows go to LMDB later, with those of other groups. A group with anything
 * else in it (opening, checkpoints, Deletes, recovery) is one LMDB transaction, which is on disk when it returns. Whatever
 * fails makes the whole group unknown.
 */
export class LogWriter {
  readonly #store: LmdbStore;
  readonly #meta: WriterMeta;
  readonly #contents: ContentWriter;
  readonly #pending: PendingRows;
  readonly #applied: Int32Array;
  readonly #owner = randomBytes(16);
  #nonce: Buffer = randomBytes(16);
  /** durable end of the current content file */
  #end = 0;
  /** number of the last group, as GroupDone.group */
  #group = 0;
  /** A frame was written and not counted: the journal needs another nonce before anything else is. */
  #stale = false;
  #dead = false;
  /** another process has taken the folder over */
  #lost = false;

  /**
   * Takes the folder over and finishes what a crash left: afterwards no earlier owner's write counts. First the owner row
   * is durable, then the last run's journal is read: a former owner that still runs looks at the owner row between
   * writing a frame and answering for it, so either it finds the new owner, or its frame is found here.
   */
  constructor(
    folder: string,
    applied: Int32Array = new Int32Array(1),
    contents: ContentWriter = new ContentWriter(join(folder, 'content')),
  ) {
    this.#store = openStore(folder);
    this.#meta = new WriterMeta(this.#store);
    this.#applied = applied;
    this.#pending = new PendingRows(this.#store);
    this.#contents = contents;
    syncFolders(folder);
    const { root, erasures } = this.#store;
    root.transactionSync(() => {
      checkFormat(this.#store);
      this.#meta.putOwner(this.#owner);
    });
    root.transactionSync(() => {
      this.#assertOwner();
      this.#adoptJournal(join(folder, 'content'));
      // A former owner that still runs may be writing behind its durable end: never share its file.
      const file = this.#meta.file + 1;
      this.#contents.begin(file);
      this.#meta.putFile(file);
      this.#meta.putJournal(file, this.#nonce);
    });
    this.#contents.cutTails(this.#meta.ends());
    const left: ContentPlace[] = [];
    for (const { key, value } of erasures.getRange({ start: Buffer.from([JOURNAL_BYTES]) }))
      left.push(readOverwriteJournal(key, value));
    this.#overwrite(left);
  }

  /** The journal holds more than LMDB should lack: `apply` soon. */
  get full(): boolean {
    return this.#pending.groups >= APPLY_GROUPS || this.#pending.bytes >= APPLY_BYTES;
  }

  get applied(): boolean {
    return this.#pending.groups === 0;
  }

  /** Writes the group; never throws. */
  write(group: WriteGroup): FromWriter[] {
    this.#group = (this.#group + 1) | 0;
    const codes = new Uint8Array(group.appends + group.ops.length).fill(CODE_UNKNOWN);
    if (this.#dead) return [this.#done(codes, { error: 'the log has failed before', fatal: true })];
    if (this.#lost) return [this.#done(codes.fill(CODE_FENCED))];
    try {
      const packed = asBuffer(new Uint8Array(group.packed));
      return group.ops.length === 0 && !hasDeletes(packed, group.appends)
        ? [this.#journal(packed, group.appends, codes)]
        : this.#transact(packed, group, codes);
    } catch (error) {
      this.#pending.drop();
      return [this.#done(codes.fill(CODE_UNKNOWN), { error: String(error), fatal: this.#failed(error) })];
    }
  }

  /** Puts what is only in the journal into LMDB. Null, or why that failed: nothing is lost, and it may be tried again. */
  apply(): { error: string; fatal: boolean } | null {
    if (this.#dead || this.#lost || this.applied) return null;
    try {
      this.#store.root.transactionSync(() => {
        if (this.#isOwner()) this.#putPending();
        else this.#lost = true;
      });
      if (!this.#lost) this.#inLmdb();
      return null;
    } catch (error) {
      this.#dead = !mayCommitAgain(error);
      return { error: String(error), fatal: this.#dead };
    }
  }

  async close(): Promise<void> {
    this.apply();
    this.#dead = true;
    this.#contents.close();
    await this.#store.root.close();
  }

  /**
   * The way of nearly every group. A crash right after
   *   the steps    changed nothing but memory,
   *   the frame    leaves it in the journal whole, or not at all: 'failed but persisted', or cut off at the next start,
   *   the answer   is no loss: the next start finds the frame.
   */
  #journal(packed: Buffer, appends: number, codes: Uint8Array): GroupDone {
    if (this.#stale || this.#end + FRAME_HEADER + packed.length > CONTENT_FILE_BYTES) {
      try {
        this.#renew(packed.length);
      } catch (error) {
        this.#dead = !mayCommitAgain(error);
        return this.#done(codes, { error: String(error), fatal: this.#dead });
      }
    }
    // Before anything is written it is certain that nothing lands; what only this run's journal holds tells of no new owner.
    this.#store.root.resetReadTxn();
    if (!this.#isOwner()) {
      this.#lost = true;
      return this.#done(codes.fill(CODE_FENCED));
    }
    const tx: AppendTransaction = { store: this.#pending.tables, wrote: false };
    const contents: Buffer[] = [];
    let contentLength = 0;
    for (let i = 0, at = 0; i < appends; i++) {
      const one = packed.subarray(at, at + packed.readUInt32LE(at));
      at += one.length;
      const place = this.#end + FRAME_HEADER + contentLength;
      codes[i] = this.#step(tx, () => appendStep(tx, one, this.#contents.file, place));
      if (codes[i] !== CODE_OK || one.readUInt32LE(12) === 0) continue;
      const content = contentOf(one);
      contents.push(content);
      contentLength += content.length;
    }
    const rows = this.#pending.encode();
    if (rows.length === 0) return this.#done(codes);
    const { parts, length } = frame(this.#end, this.#nonce, contents, contentLength, rows);
    this.#stale = true;
    this.#contents.append(parts, length, this.#end);
    this.#store.root.resetReadTxn();
    if (!this.#isOwner()) {
      // The new owner may have found the frame, or not.
      this.#lost = true;
      this.#pending.drop();
      return this.#done(codes.fill(CODE_UNKNOWN));
    }
    this.#stale = false;
    this.#end += length;
    this.#pending.keep(rows.length);
    return this.#done(codes, { rows });
  }

  /** Contents to the content file and to disk, then one transaction for the rest. */
  #transact(packed: Buffer, group: WriteGroup, codes: Uint8Array): FromWriter[] {
    const tx: Transaction = {
      store: this.#store,
      readContent: (place) => this.#contents.read(place),
      wrote: false,
      overwrite: [],
    };
    const contents = contentsOf(packed, group);
    const total = contents.reduce((sum, part) => sum + part.length, 0);
    if (this.#stale || (total > 0 && this.#end > 0 && this.#end + total > CONTENT_FILE_BYTES)) this.#renew(total);
    if (total > 0) this.#contents.append(contents, total, this.#end);
    // A crash from here to the commit: the contents lie behind the durable end and are cut off at the next start.
    this.#store.root.transactionSync(() => this.#run(tx, packed, group, codes, total));
    if (this.#lost) return [this.#done(codes)];
    this.#end += total;
    this.#inLmdb();
    const answers: FromWriter[] = [this.#done(codes)];
    const erasures = group.ops.filter(
      (op, i) => (op.kind === 'erase' || op.kind === 'replace') && codes[group.appends + i] === CODE_OK,
    ).length;
    if (erasures > 0) answers.push({ kind: 'erased', ops: erasures });
    if (tx.overwrite.length > 0) {
      try {
        this.#overwrite(tx.overwrite);
      } catch (error) {
        // The group is durable all the same, and the journal has the erasure done at the next start.
        this.#dead = true;
        return [this.#done(codes, { error: String(error), fatal: true })];
      }
    }
    return answers;
  }

  #run(tx: Transaction, packed: Buffer, group: WriteGroup, codes: Uint8Array, total: number): void {
    if (!this.#isOwner()) {
      this.#lost = true;
      codes.fill(CODE_FENCED);
      return;
    }
    this.#putPending(total);
    const { file } = this.#contents;
    let offset = this.#end;
    const step = (i: number, length: number, run: () => number): void => {
      codes[i] = this.#step(tx, run);
      // Its contents are on disk, behind the new durable end, and nothing will refer to them.
      if (codes[i] !== CODE_OK && length > 0) journalOverwrite(tx, { file, offset, length });
      offset += length;
    };
    for (let i = 0, at = 0; i < group.appends; i++) {
      const one = packed.subarray(at, at + packed.readUInt32LE(at));
      step(i, one.readUInt32LE(12), () => {
        const code = appendStep(tx, one, file, offset);
        if (code === CODE_OK) deletesStep(tx, one);
        return code;
      });
      at += one.length;
    }
    group.ops.forEach((op, i) => {
      const length = op.kind === 'replace' ? contentLength(asBuffer(op.packed), op.appends) : 0;
      step(group.appends + i, length, () => opStep(tx, op, file, offset));
    });
  }

  /** A step that throws before it has changed anything has an unknown outcome of its own; the others go on. */
  #step(tx: AppendTransaction, run: () => number): number {
    tx.wrote = false;
    try {
      return run();
    } catch (error) {
      if (tx.wrote) throw error;
      return CODE_UNKNOWN;
    }
  }

  /** LMDB gets all rows, and the journal goes on with a nonce of its own: in a new file if this one has no room for so many bytes. */
  #renew(bytes: number): void {
    const file =
      this.#end + FRAME_HEADER + bytes > CONTENT_FILE_BYTES && this.#end > 0 ? this.#contents.file + 1 : null;
    const nonce = randomBytes(16);
    this.#store.root.transactionSync(() => {
      this.#assertOwner();
      this.#putPending();
      // Recorded before it is used: the next run takes the number behind it.
      if (file !== null) this.#meta.putFile(file);
      this.#meta.putJournal(file ?? this.#contents.file, nonce);
    });
    this.#inLmdb((this.#group - 1) | 0);
    this.#nonce = nonce;
    this.#stale = false;
    if (file === null) return;
    this.#contents.begin(file);
    this.#end = 0;
  }

  /** The last run's frames that LMDB does not have yet. */
  #adoptJournal(folder: string): void {
    const { journal } = this.#meta;
    if (journal === null) return;
    const start = this.#meta.ends().get(journal.file) ?? 0;
    let end = start;
    // A frame that was damaged later ends them too: the release guard knows what its enclaves have lost.
    for (const found of framesOf(join(folder, contentFileName(journal.file)), start, journal.nonce)) {
      for (const { table, key, value } of decodeRows(found.rows)) {
        const rows = this.#store[APPENDED[table] as Appended];
        if (value === null) rows.removeSync(key);
        else rows.putSync(key, value);
      }
      end = found.end;
    }
    if (end > start) this.#meta.putEnd(journal.file, end);
  }

  /** All rows of the journal, and how far LMDB is with it; `beyond`: bytes behind it that this transaction refers to. */
  #putPending(beyond = 0): void {
    this.#pending.apply(this.#store);
    if (this.#end + beyond > 0) this.#meta.putEnd(this.#contents.file, this.#end + beyond);
  }

  /** All groups up to this one are in LMDB. */
  #inLmdb(group = this.#group): void {
    this.#pending.forget();
    Atomics.store(this.#applied, 0, group);
  }

  #isOwner(): boolean {
    return this.#meta.isOwner(this.#owner);
  }

  #assertOwner(): void {
    if (!this.#isOwner()) throw new Error('Another process has taken the log folder over.');
  }

  #done(
    codes: Uint8Array,
    { rows = NO_ROWS, error = null, fatal = false }: Partial<Pick<GroupDone, 'rows' | 'error' | 'fatal'>> = {},
  ): GroupDone {
    return { kind: 'done', codes, group: this.#group, rows, error, fatal };
  }

  /** True if nothing may be written any more. A full disk is no such case: LMDB has aborted, its pages are written anew. */
  #failed(error: unknown): boolean {
    const full = isDiskFull(error);
    if (!full) this.#dead = true;
    try {
      if (full) this.#contents.cut(this.#end);
    } catch {
      // the next group overwrites the same bytes
    }
    return this.#dead;
  }

  /** Overwrites what the journal names, then forgets the journal rows. A crash in between repeats it. */
  #overwrite(places: readonly ContentPlace[]): void {
    if (places.length === 0) return;
    this.#contents.erase(places);
    try {
      this.#store.root.transactionSync(() => {
        for (const place of places) this.#store.erasures.removeSync(overwriteJournalKey(place));
      });
    } catch (error) {
      // On a full disk the rows stay, and the next start overwrites once more.
      if (this.#failed(error)) throw error;
    }
  }
}
