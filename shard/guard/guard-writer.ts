import { randomBytes } from 'node:crypto';
import { readdirSync, unlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DurableFile, isDiskFull, mayCommitAgain, syncFolder } from '../journal/durable-file.ts';
import { frame, framesOf } from '../journal/frame.ts';
import { GuardDamaged } from './guard-errors.ts';
import { GUARD_CALL, GUARD_OK, GUARD_REFUSED, GUARD_UNKNOWN, type GuardDone } from './guard-messages.ts';
import {
  checkWatermark,
  claimGuard,
  encodeWatermark,
  type GuardStore,
  openGuardStore,
  WATERMARK_KEY,
  WATERMARK_ROW,
} from './guard-store.ts';

/** The journal is written from its begin on again when it is so long: one commit of LMDB for all of it. */
const JOURNAL_BYTES = 512 * 1024;
const ROW = WATERMARK_KEY + WATERMARK_ROW;

const OWNER = Buffer.from('owner');
/** u32 number of the journal's file, bytes16 nonce of its frames */
const JOURNAL = Buffer.from('journal');

/**
 * What the guard's thread does. A group of calls is compared with the watermarks, LMDB's and above them those that only
 * the journal holds; then the new ones are one frame of the journal, which makes them durable; later they go to LMDB.
 */
export class GuardWriter {
  readonly #store: GuardStore;
  readonly #applied: Int32Array;
  readonly #owner = randomBytes(16);
  readonly #file: DurableFile;
  readonly #number: number;
  /** rows that LMDB lacks, by key (latin1) */
  readonly #pending = new Map<string, Buffer>();
  #nonce: Buffer = randomBytes(16);
  #end = 0;
  /** number of the last group, as GuardDone.group */
  #group = 0;
  /** A frame was written and not counted: the journal needs another nonce before anything else is. */
  #stale = false;
  #dead = false;
  #lost = false;

  /**
   * Takes the folder over. First the owner row is durable, then the last journal is read: a former owner that still runs
   * looks at that row between writing a frame and answering for it, so either it finds the new owner, or its frame is
   * found here. Throws GuardDamaged.
   */
  constructor(folder: string, applied: Int32Array) {
    this.#applied = applied;
    this.#store = openGuardStore(folder);
    const { root, meta } = this.#store;
    root.transactionSync(() => {
      claimGuard(this.#store, randomBytes(16));
      meta.putSync(OWNER, this.#owner);
    });
    this.#number = root.transactionSync(() => {
      this.#assertOwner();
      const last = meta.getBinary(JOURNAL);
      if (last !== undefined) this.#adopt(join(folder, journalName(last.readUInt32LE(0))), last.subarray(4));
      const number = (last?.readUInt32LE(0) ?? 0) + 1;
      this.#putJournal(number);
      return number;
    });
    this.#file = new DurableFile(join(folder, journalName(this.#number)));
    for (const name of readdirSync(folder)) if (/^journal-\d+$/.test(name)) unlinkSync(join(folder, name));
    for (const path of [folder, dirname(resolve(folder))]) syncFolder(path);
  }

  get applied(): boolean {
    return this.#pending.size === 0;
  }

  /** Compare-and-set of every call; never throws. */
  write(packed: Buffer): GuardDone {
    this.#group = (this.#group + 1) | 0;
    const codes = new Uint8Array(packed.length / GUARD_CALL).fill(GUARD_UNKNOWN);
    if (this.#dead) return this.#done(codes, 'the guard has failed before');
    const group = new Map<string, Buffer>();
    if (this.#stale || this.#end + packed.length > JOURNAL_BYTES) {
      const failed = this.#tryRenew((this.#group - 1) | 0);
      if (failed !== null) return this.#done(codes, failed);
    }
    try {
      for (let i = 0; i < codes.length; i++)
        codes[i] = this.#call(packed.subarray(i * GUARD_CALL, (i + 1) * GUARD_CALL), group);
      if (group.size === 0) return this.#done(codes);
      const rows = Buffer.concat([...group].flatMap(([name, row]) => [Buffer.from(name, 'latin1'), row]));
      const { parts, length } = frame(this.#end, this.#nonce, [], 0, rows);
      this.#stale = true;
      this.#file.write(parts, length, this.#end);
      // Crash: the frame is whole, and the watermarks have moved, though nobody was told; or it is not, and they have not.
      this.#store.root.resetReadTxn();
      this.#assertOwner();
      this.#stale = false;
      this.#end += length;
      for (const [name, row] of group) this.#pending.set(name, row);
      return this.#done(codes);
    } catch (error) {
      this.#lost = error instanceof GuardLost;
      this.#dead = !isDiskFull(error);
      return this.#done(codes.fill(GUARD_UNKNOWN), String(error));
    }
  }

  /** Puts what only the journal holds into LMDB. False when that failed and is worth another try: nothing is lost. */
  apply(): boolean {
    if (this.#dead || this.applied) return true;
    return this.#tryRenew(this.#group) === null || this.#dead;
  }

  async close(): Promise<void> {
    this.apply();
    this.#dead = true;
    this.#file.close();
    await this.#store.root.close();
  }

  #call(call: Buffer, group: Map<string, Buffer>): number {
    const key = call.subarray(0, WATERMARK_KEY);
    const name = key.toString('latin1');
    const create = call[36] === 1;
    const row = group.get(name) ?? this.#pending.get(name) ?? this.#store.watermarks.getBinary(Buffer.from(key));
    if (create ? row !== undefined : row === undefined) return GUARD_REFUSED;
    if (row !== undefined) {
      try {
        if (!checkWatermark(key, row).equals(call.subarray(40, 120))) return GUARD_REFUSED;
      } catch {
        return GUARD_UNKNOWN;
      }
    }
    group.set(name, encodeWatermark(key, call.subarray(120, 200)));
    return GUARD_OK;
  }

  /** Null, or why it failed. */
  #tryRenew(group: number): string | null {
    try {
      this.#renew(group);
      return null;
    } catch (error) {
      this.#lost = error instanceof GuardLost;
      this.#dead = this.#lost || !mayCommitAgain(error);
      return String(error);
    }
  }

  /** LMDB gets all rows up to `group`, and the journal begins anew, with a nonce of its own. */
  #renew(group: number): void {
    const nonce = randomBytes(16);
    this.#store.root.transactionSync(() => {
      this.#assertOwner();
      for (const [name, row] of this.#pending) this.#store.watermarks.putSync(Buffer.from(name, 'latin1'), row);
      this.#putJournal(this.#number, nonce);
    });
    this.#pending.clear();
    Atomics.store(this.#applied, 0, group);
    this.#nonce = nonce;
    this.#stale = false;
    this.#end = 0;
  }

  #adopt(path: string, nonce: Buffer): void {
    const frames = framesOf(path, 0, nonce);
    for (let next = frames.next(); ; next = frames.next()) {
      if (next.done === true) {
        if (next.value) return;
        throw new GuardDamaged('The journal of the guard is damaged: restore the guard, or adopt another.');
      }
      const { rows } = next.value;
      for (let at = 0; at < rows.length; at += ROW)
        this.#store.watermarks.putSync(
          rows.subarray(at, at + WATERMARK_KEY),
          rows.subarray(at + WATERMARK_KEY, at + ROW),
        );
    }
  }

  #putJournal(number: number, nonce = this.#nonce): void {
    const row = Buffer.alloc(20);
    row.writeUInt32LE(number, 0);
    row.set(nonce, 4);
    this.#store.meta.putSync(JOURNAL, row);
  }

  #assertOwner(): void {
    if (this.#store.meta.getBinary(OWNER)?.equals(this.#owner) !== true)
      throw new GuardLost('Another process has taken the guard folder over.');
  }

  #done(codes: Uint8Array, error: string | null = null): GuardDone {
    return { kind: 'done', codes, group: this.#group, error, fatal: this.#dead, lost: this.#lost };
  }
}

class GuardLost extends Error {}

const journalName = (number: number): string => `journal-${number}`;
