import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isDiskFull, mayCommitAgain } from '../../journal/durable-file.ts';
import { FRAME_HEADER, frame } from '../../journal/frame.ts';
import { asBuffer } from '../bytes.ts';
import { adoptJournal } from './adopt-journal.ts';
import { appendStep, deletesStep } from './append-step.ts';
import { CONTENT_FILE_BYTES, ContentWriter, syncFolders } from './content-writer.ts';
import type { ContentPlace } from './entry-row.ts';
import { JOURNAL_BYTES, overwriteJournalKey, readOverwriteJournal } from './erase-journal.ts';
import { Jobs } from './jobs.ts';
import { laterSteps } from './later-step.ts';
import { checkFormat } from './log-format.ts';
import { opStep } from './op-step.ts';
import { contentLength, contentOf, contentsOf, hasDeletes } from './packed-appends.ts';
import { PendingRows } from './pending-rows.ts';
import { type LmdbStore, openStore } from './store.ts';
import { type AppendTransaction, journalOverwrite, type Transaction } from './transaction.ts';
import {
  type Applied,
  type ApplyJob,
  CODE_FENCED,
  CODE_OK,
  CODE_UNKNOWN,
  type FromWriter,
  type GroupDone,
  type LaterWrite,
  type WriteGroup,
} from './writer-messages.ts';
import { WriterMeta } from './writer-meta.ts';

/** The journal's rows go to LMDB when there are so many groups or bytes of them: one commit for all, some milliseconds. */
const APPLY_GROUPS = 256;
const APPLY_BYTES = 4 * 1024 * 1024;

/** So many times as much may wait while a job is out; then appends wait for it. */
const BEHIND = 4;
/** Operations that may wait for the next job. */
const LATER = 4096;

const NO_ROWS = new Uint8Array(0);
const TAKEN_OVER = 'Another process has taken the log folder over.';

export interface LogWriterOptions {
  /** as WriterData.applied */
  readonly applied?: Int32Array;
  /** as ApplierData.voided */
  readonly voided?: Int32Array;
  readonly contents?: ContentWriter;
}

/** LMDB has aborted: what it had is as it was. */
class NotCommitted extends Error {
  override readonly name = 'NotCommitted';
  constructor(cause: unknown) {
    super(`the database could not be written: ${String(cause)}`, { cause });
  }
}

/**
 * The thread that owns every write, one group at a time. A group of appends is written to the journal, which makes it
 * durable in one piece, and is answered; its rows go to LMDB later, with those of other groups, as a job that another
 * thread carries out (applier-thread.ts). A group with anything else in it (opening, Deletes, recovery) is one LMDB
 * transaction, which is on disk when it returns; the rows that LMDB lacks are part of it, and the job is then void.
 * Whatever fails makes the whole group unknown.
 */
export class LogWriter {
  readonly #store: LmdbStore;
  readonly #meta: WriterMeta;
  readonly #contents: ContentWriter;
  readonly #pending: PendingRows;
  readonly #applied: Int32Array;
  readonly #jobs: Jobs;
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
    { applied = new Int32Array(1), voided = new Int32Array(1), contents }: LogWriterOptions = {},
  ) {
    this.#store = openStore(folder);
    this.#meta = new WriterMeta(this.#store);
    this.#applied = applied;
    this.#jobs = new Jobs(voided);
    this.#pending = new PendingRows(this.#store);
    this.#contents = contents ?? new ContentWriter(join(folder, 'content'));
    syncFolders(folder);
    const { root, erasures } = this.#store;
    root.transactionSync(() => {
      checkFormat(this.#store);
      this.#meta.putOwner(this.#owner);
    });
    root.transactionSync(() => {
      this.#assertOwner();
      adoptJournal(this.#store, this.#meta, join(folder, 'content'));
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

  /** How long rows and operations may wait for a job: not at all, until there are more, or there are none. */
  get waiting(): 'pressing' | 'some' | 'none' {
    const { groups, bytes } = this.#pending;
    if (groups >= APPLY_GROUPS || bytes >= APPLY_BYTES || this.#jobs.waiting > 0) return 'pressing';
    return groups > 0 ? 'some' : 'none';
  }

  /** The other thread does not keep up: `apply` here, and have the appends wait for it. */
  get overfull(): boolean {
    const { groups, bytes } = this.#pending;
    return groups >= BEHIND * APPLY_GROUPS || bytes >= BEHIND * APPLY_BYTES || this.#jobs.waiting >= LATER;
  }

  /** Writes the group; never throws. */
  write(group: WriteGroup): FromWriter[] {
    return [...this.#written(group), ...this.#told()];
  }

  #written(group: WriteGroup): FromWriter[] {
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

  /** An operation for the next job; where nothing is written any more, it is answered at once. */
  later(write: LaterWrite): FromWriter[] {
    this.#jobs.add(write);
    return this.#told();
  }

  /** The next job, for the other thread to carry out while this one goes on; null if there is none, or one is out. */
  handOver(): ApplyJob | null {
    if (this.#dead || this.#lost || this.#jobs.out !== null || this.waiting === 'none') return null;
    const rows = this.#pending.handOver();
    return this.#jobs.next({
      owner: this.#owner,
      rows,
      file: this.#contents.file,
      end: this.#end,
      group: this.#group,
    });
  }

  /** What became of a job. */
  handedBack(applied: Applied): FromWriter[] {
    const { out } = this.#jobs;
    // Void: a transaction of this thread has done its work, and has answered for it.
    if (out?.number !== applied.number) return [];
    if (applied.result === 'done') {
      this.#store.root.resetReadTxn();
      this.#pending.settle();
      Atomics.store(this.#applied, 0, out.group);
      this.#jobs.done(applied.codes);
      return this.#jobs.takeAnswers();
    }
    this.#pending.takeBack();
    this.#lost ||= applied.result === 'lost';
    this.#dead ||= applied.result === 'failed' && applied.fatal;
    const said = this.#giveUp();
    if (applied.result === 'failed') said.push({ kind: 'failed', error: applied.error, fatal: applied.fatal });
    return said;
  }

  /** Puts into LMDB what it lacks, here and now. Nothing is lost if that fails, and it may be tried again. */
  apply(): FromWriter[] {
    if (this.#dead || this.#lost) return this.#told();
    if (this.#jobs.out === null && this.waiting === 'none') return [];
    try {
      this.#transaction(() => {});
      return this.#told();
    } catch (error) {
      this.#dead = !mayCommitAgain(error);
      return [...this.#giveUp(), { kind: 'failed', error: String(error), fatal: this.#dead }];
    }
  }

  /** What `apply` says, last. */
  async close(): Promise<FromWriter[]> {
    const said = this.apply();
    this.#dead = true;
    this.#contents.close();
    await this.#store.root.close();
    return said;
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
    this.#pending.keep(rows);
    // In memory of its own, which goes to the reader.
    return this.#done(codes, { rows: new Uint8Array(rows) });
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
    this.#transaction(() => this.#run(tx, packed, group, codes), total);
    if (this.#lost) return [this.#done(codes.fill(CODE_FENCED))];
    this.#end += total;
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

  #run(tx: Transaction, packed: Buffer, group: WriteGroup, codes: Uint8Array): void {
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
    this.#transaction(
      () => {
        // Recorded before it is used: the next run takes the number behind it.
        if (file !== null) this.#meta.putFile(file);
        this.#meta.putJournal(file ?? this.#contents.file, nonce);
      },
      0,
      (this.#group - 1) | 0,
    );
    if (this.#lost) throw new Error(TAKEN_OVER);
    this.#nonce = nonce;
    this.#stale = false;
    if (file === null) return;
    this.#contents.begin(file);
    this.#end = 0;
  }

  /**
   * One LMDB transaction of this thread: first the rows and operations that LMDB lacks, those of the job that is out
   * included, then `run`. Of another owner's folder nothing is touched. `beyond`: bytes behind the journal's end that
   * `run` refers to; `group`: the last one whose rows are in it.
   */
  #transaction(run: () => void, beyond = 0, group = this.#group): void {
    const later = this.#jobs.overtake();
    let codes = new Uint8Array(0);
    try {
      this.#store.root.transactionSync(() => {
        if (!this.#isOwner()) {
          this.#lost = true;
          return;
        }
        this.#pending.apply(this.#store);
        if (this.#end + beyond > 0) this.#meta.putEnd(this.#contents.file, this.#end + beyond);
        codes = laterSteps(this.#store, later);
        run();
      });
    } catch (error) {
      this.#jobs.takeBack();
      this.#pending.takeBack();
      throw new NotCommitted(error);
    }
    if (this.#lost) return;
    this.#jobs.overtaken(later, codes);
    this.#pending.forget();
    Atomics.store(this.#applied, 0, group);
  }

  /** What is to be said of operations; none waits for a job that will never be. */
  #told(): FromWriter[] {
    return this.#dead || this.#lost ? this.#giveUp() : this.#jobs.takeAnswers();
  }

  /** Operations that wait come to nothing. */
  #giveUp(): FromWriter[] {
    this.#jobs.giveUp(this.#lost ? CODE_FENCED : CODE_UNKNOWN);
    return this.#jobs.takeAnswers();
  }

  #isOwner(): boolean {
    return this.#meta.isOwner(this.#owner);
  }

  #assertOwner(): void {
    if (!this.#isOwner()) throw new Error(TAKEN_OVER);
  }

  #done(
    codes: Uint8Array,
    { rows = NO_ROWS, error = null, fatal = false }: Partial<Pick<GroupDone, 'rows' | 'error' | 'fatal'>> = {},
  ): GroupDone {
    return { kind: 'done', codes, group: this.#group, rows, error, fatal };
  }

  /** True if nothing may be written any more. A full disk is no such case, however LMDB puts it. */
  #failed(error: unknown): boolean {
    const cause = error instanceof NotCommitted ? error.cause : error;
    const full = isDiskFull(cause);
    if (!full && !(error instanceof NotCommitted && mayCommitAgain(cause))) this.#dead = true;
    try {
      // Of a commit that failed otherwise it is not certain that it never shows: its contents are left where they are.
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
      if (this.#failed(new NotCommitted(error))) throw error;
    }
  }
}
