import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { asBuffer, readInt, writeInt } from '../bytes.ts';
import { appendStep } from './append-step.ts';
import { CONTENT_FILE_BYTES, ContentWriter, SyncFailed, syncFolders } from './content-writer.ts';
import type { ContentPlace } from './entry-row.ts';
import { JOURNAL_BYTES, overwriteJournalKey, readOverwriteJournal } from './erase-journal.ts';
import { OWNER } from './folder-owner.ts';
import { checkFormat } from './log-format.ts';
import { opStep } from './op-step.ts';
import { getRow, openStore, type Store } from './store.ts';
import { journalOverwrite, type Transaction } from './transaction.ts';
import {
  CODE_FENCED,
  CODE_OK,
  CODE_UNKNOWN,
  type FromWriter,
  PACKED_HEADER,
  type WriteGroup,
} from './writer-messages.ts';

/**
 * The thread that owns every write. One group at a time: contents to the content file and to disk, then one LMDB
 * transaction, which is on disk when it returns; then the answer. Whatever fails makes the whole group unknown.
 */
export class LogWriter {
  readonly #store: Store;
  readonly #contents: ContentWriter;
  readonly #owner = randomBytes(16);
  /** durable end of the current content file */
  #end = 0;
  #dead = false;
  /** another process has taken the folder over */
  #lost = false;

  /** Takes the folder over and finishes what a crash left: afterwards no earlier owner's transaction can land. */
  constructor(folder: string, contents: ContentWriter = new ContentWriter(join(folder, 'content'))) {
    this.#store = openStore(folder);
    const { root, meta, erasures } = this.#store;
    this.#contents = contents;
    syncFolders(folder);
    root.transactionSync(() => {
      checkFormat(this.#store);
      meta.putSync(OWNER, this.#owner);
      // A former owner that still runs may be writing behind its durable end: never share its file.
      const file = (getRow(meta, FILE)?.readUInt32LE(0) ?? 0) + 1;
      meta.putSync(FILE, uint32(file));
      this.#contents.begin(file);
    });
    this.#contents.cutTails(this.#ends());
    const left: ContentPlace[] = [];
    for (const { key, value } of erasures.getRange({ start: Buffer.from([JOURNAL_BYTES]) }))
      left.push(readOverwriteJournal(key, value));
    this.#overwrite(left);
  }

  /** Writes the group; never throws. */
  write(group: WriteGroup): FromWriter[] {
    const count = group.appends + group.ops.length;
    const codes = new Uint8Array(count).fill(CODE_UNKNOWN);
    if (this.#dead) return [{ kind: 'done', codes, error: 'the log has failed before', fatal: true }];
    if (this.#lost) return [{ kind: 'done', codes: codes.fill(CODE_FENCED), error: null, fatal: false }];
    const tx: Transaction = {
      store: this.#store,
      readContent: (place) => this.#contents.read(place),
      wrote: false,
      overwrite: [],
    };
    try {
      const contents = contentsOf(group);
      const total = contents.reduce((sum, part) => sum + part.length, 0);
      if (total > 0) this.#writeContents(contents, total);
      // A crash from here to the commit: the contents lie behind the durable end and are cut off at the next start.
      this.#store.root.transactionSync(() => this.#run(tx, group, codes, total));
      this.#end += total;
    } catch (error) {
      codes.fill(CODE_UNKNOWN);
      return [{ kind: 'done', codes, error: String(error), fatal: this.#failed(error) }];
    }
    const answers: FromWriter[] = [{ kind: 'done', codes, error: null, fatal: false }];
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
        return [{ kind: 'done', codes, error: String(error), fatal: true }];
      }
    }
    return answers;
  }

  async close(): Promise<void> {
    this.#dead = true;
    this.#contents.close();
    await this.#store.root.close();
  }

  #run(tx: Transaction, group: WriteGroup, codes: Uint8Array, total: number): void {
    const { meta } = this.#store;
    if (getRow(meta, OWNER)?.equals(this.#owner) !== true) {
      this.#lost = true;
      codes.fill(CODE_FENCED);
      return;
    }
    if (total > 0) meta.putSync(endKey(this.#contents.file), uint64(this.#end + total));
    let offset = this.#end;
    const step = (i: number, length: number, run: () => number): void => {
      tx.wrote = false;
      try {
        codes[i] = run();
      } catch (error) {
        // Nothing of this step is in the transaction: only its own outcome is affected, the others go on.
        if (tx.wrote) throw error;
        codes[i] = CODE_UNKNOWN;
        if (length > 0) journalOverwrite(tx, { file: this.#contents.file, offset, length });
      }
      offset += length;
    };
    const packed = asBuffer(new Uint8Array(group.packed));
    for (let i = 0, at = 0; i < group.appends; i++) {
      const one = packed.subarray(at, at + packed.readUInt32LE(at));
      step(i, one.readUInt32LE(12), () => appendStep(tx, one, this.#contents.file, offset));
      at += one.length;
    }
    group.ops.forEach((op, i) => {
      const length = op.kind === 'replace' ? contentLength(asBuffer(op.packed), op.appends) : 0;
      step(group.appends + i, length, () => opStep(tx, op, this.#contents.file, offset));
    });
  }

  #writeContents(contents: readonly Buffer[], total: number): void {
    if (this.#end > 0 && this.#end + total > CONTENT_FILE_BYTES) {
      const file = this.#contents.file + 1;
      this.#store.root.transactionSync(() => {
        // Recorded before it is used: the next run takes the number behind it.
        if (getRow(this.#store.meta, OWNER)?.equals(this.#owner) !== true)
          throw new Error('Another process has taken the log folder over.');
        this.#store.meta.putSync(FILE, uint32(file));
      });
      this.#contents.begin(file);
      this.#end = 0;
    }
    this.#contents.append(contents, total, this.#end);
  }

  /** True if nothing may be written any more. A full disk is no such case: LMDB has aborted, its pages are written anew. */
  #failed(error: unknown): boolean {
    const full =
      error instanceof Error &&
      !(error instanceof SyncFailed) &&
      /ENOSPC|EDQUOT|No space left|quota/i.test(`${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}`);
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

  #ends(): Map<number, number> {
    const ends = new Map<number, number>();
    for (const { key, value } of this.#store.meta.getRange({ start: endKey(0), end: endKey(0xffff_ffff) }))
      ends.set(key.readUInt32BE(END.length), readInt(value, 0));
    return ends;
  }
}

const FILE = Buffer.from('file');
const END = Buffer.from('end/');

function endKey(file: number): Buffer {
  const key = Buffer.alloc(END.length + 4);
  END.copy(key);
  key.writeUInt32BE(file, END.length);
  return key;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  writeInt(bytes, value, 0);
  return bytes;
}

function contentsOf(group: WriteGroup): Buffer[] {
  const parts: Buffer[] = [];
  collect(asBuffer(new Uint8Array(group.packed)), group.appends, parts);
  for (const op of group.ops) if (op.kind === 'replace') collect(asBuffer(op.packed), op.appends, parts);
  return parts;
}

function collect(packed: Buffer, appends: number, parts: Buffer[]): void {
  for (let i = 0, at = 0; i < appends; i++, at += packed.readUInt32LE(at)) {
    const length = packed.readUInt32LE(at + 12);
    const start = at + PACKED_HEADER + packed.readUInt32LE(at + 4) + 32 * packed.readUInt32LE(at + 8);
    if (length > 0) parts.push(packed.subarray(start, start + length));
  }
}

function contentLength(packed: Buffer, appends: number): number {
  let length = 0;
  for (let i = 0, at = 0; i < appends; i++, at += packed.readUInt32LE(at)) length += packed.readUInt32LE(at + 12);
  return length;
}
