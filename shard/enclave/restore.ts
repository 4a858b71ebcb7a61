import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Head, Inspector, Kernel, SealedBatch } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { sthMessage } from '../../protocol/hash.ts';
import { toHex } from '../../protocol/hex.ts';
import type { CryptoPool } from '../crypto/crypto.ts';
import type { Epoch, LogKey } from '../log/enclave-log.ts';
import { emptyHead } from '../log/head-bytes.ts';
import type { Signer } from '../signer/signer.ts';
import { EnclaveActor } from './actor.ts';
import { EnclaveHost } from './enclave-host.ts';
import type { Enclaves } from './enclaves.ts';
import { readEventLines } from './event-lines.ts';
import type { HydrateModules } from './hydrate.ts';
import { sameBytes } from './in-flight.ts';
import { type Answer, failed } from './reads.ts';
import { InvalidSnapshot, replayFile, type Source, type Survey, survey } from './replay-file.ts';
import { beginsWithBrace, readSnapshot, spool } from './snapshot-file.ts';

const INVALID_SNAPSHOT = errorNumber('invalid_snapshot');
const ENCLAVE_EXISTS = errorNumber('enclave_exists');
const NOT_FOUND = errorNumber('enclave_not_found');
const REGRESSED = errorNumber('enclave_regressed');
const READ_ONLY = errorNumber('enclave_read_only');
const UNAVAILABLE = errorNumber('unavailable');

export interface RestoreModules extends HydrateModules {
  readonly enclaves: Enclaves;
  readonly inspector: Inspector;
  readonly pool: CryptoPool;
  readonly signer: Signer;
  /** where files are kept while they are checked */
  readonly tmp: string;
  readonly warn: (fields: object, message: string) => void;
}

/**
 * Brings enclaves in from `.enc` files (PROTOCOL §10): `restore` one that is not here, `recover` one whose log lost
 * released events (also from events that a client has pulled, see event-lines.ts). A file is replayed twice: once to verify all of it, and only then into the log. The guard's row is
 * made or moved last, so a crash on the way leaves an enclave that does not open and can be brought in again.
 */
export class Restore {
  readonly #m: RestoreModules;
  readonly #busy = new Set<string>();

  constructor(modules: RestoreModules) {
    this.#m = modules;
  }

  /** `expected`: the sequencer that the caller trusts, null if none was named. */
  restore(enclave: Uint8Array, body: Readable, expected: Uint8Array | null): Promise<Answer> {
    return this.#once(enclave, body, async (open) => {
      const row = await this.#m.guard.read({ enclave, lane: 0 });
      const head = await this.#m.log.head({ enclave, lane: 0 });
      if (row && head && head.seq >= 0) return failed(ENCLAVE_EXISTS);
      const source = open(row?.bundles ?? 0);
      const known = await survey(source, enclave, this.#m.inspector);
      if (known.end.sig === null) throw new InvalidSnapshot(0, 'events alone can only recover what was here before');
      if (!row && !(await this.#trusted(enclave, known, expected))) {
        throw new InvalidSnapshot(0, 'name the sequencer that you expect in X-Enc-Sequencer: the file brings its own');
      }
      return this.#place(enclave, source, known, row);
    });
  }

  /**
   * For an enclave that does not open: the file must contain everything that was released. One that opens lacks nothing,
   * and stays as it is: the answer says so, and whoever asks again because an answer was lost is told the same.
   */
  recover(enclave: Uint8Array, body: Readable): Promise<Answer> {
    return this.#once(enclave, body, async (open) => {
      const row = await this.#m.guard.read({ enclave, lane: 0 });
      if (!row) return failed(NOT_FOUND);
      const actor = await this.#m.enclaves.actor(enclave);
      if (actor instanceof EnclaveActor) return placed(enclave, actor.released, { changed: false });
      const source = open(row.bundles);
      return this.#place(enclave, source, await survey(source, enclave, this.#m.inspector), row);
    });
  }

  async #once(
    enclave: Uint8Array,
    body: Readable,
    work: (source: (bundles: number) => Source) => Promise<Answer>,
  ): Promise<Answer> {
    const name = toHex(enclave);
    if (this.#busy.has(name)) return failed(UNAVAILABLE);
    this.#busy.add(name);
    await mkdir(this.#m.tmp, { recursive: true, mode: 0o700 });
    const path = join(this.#m.tmp, `${randomUUID()}.enc`);
    try {
      await spool(body, path);
      const isText = await beginsWithBrace(path);
      return await work((bundles) => () => (isText ? readEventLines(path, { bundles }) : readSnapshot(path)));
    } catch (error) {
      if (error instanceof InvalidSnapshot) {
        this.#m.warn({ enclave: name, seq: error.seq, why: error.message }, 'a snapshot was refused');
        return failed(INVALID_SNAPSHOT, `"seq":${error.seq}`);
      }
      this.#m.warn(
        { enclave: name, error: error instanceof Error ? error.message : String(error) },
        'a snapshot could not be taken in',
      );
      return failed(UNAVAILABLE);
    } finally {
      this.#busy.delete(name);
      await rm(path, { force: true });
    }
  }

  /** The sequencer is the one the caller named, one whose key is held here, or the one that the Manifest names. */
  async #trusted(enclave: Uint8Array, known: Survey, expected: Uint8Array | null): Promise<boolean> {
    const { firstSequencer, lastSequencer, named } = known;
    if (expected) return sameBytes(expected, firstSequencer) || sameBytes(expected, lastSequencer);
    if (named) return sameBytes(named, firstSequencer);
    const held = (await this.#m.signer.lookup(enclave))?.key.public;
    if (held) return sameBytes(held, firstSequencer) || sameBytes(held, lastSequencer);
    return known.seed !== null && this.#m.signer.recognise(known.seed, firstSequencer) !== null;
  }

  async #place(enclave: Uint8Array, source: Source, known: Survey, row: Head | null): Promise<Answer> {
    const key: LogKey = { enclave, lane: 0 };
    const [verified, host] = await this.#kernel(enclave);
    const { contained } = await replayFile(source, known, verified, host, this.#m, {
      verify: true,
      watermark: row,
      treeHead: null,
      onBatch: async () => {},
    });
    if (!contained) return failed(REGRESSED);
    const final = verified.head();
    await this.#keepKey(enclave, known);
    const treeHead = known.end.sig ?? (await this.#signTreeHead(enclave, known, final));
    if (!treeHead) return failed(READ_ONLY);
    await this.#store(key, source, known, row, final, treeHead);
    if (row === null) {
      if (!(await this.#m.guard.create(key, final))) return failed(UNAVAILABLE);
    }
    const actor = await this.#m.enclaves.actor(enclave);
    if (!(actor instanceof EnclaveActor)) return failed(actor);
    return placed(enclave, final);
  }

  async #store(
    key: LogKey,
    source: Source,
    known: Survey,
    row: Head | null,
    final: Head,
    treeHead: Uint8Array,
  ): Promise<void> {
    // What is there may be damaged in any place, its head too: all of it goes.
    const opened = await this.#m.log.open(key, this.#m.owner, true);
    const empty = emptyHead(key.enclave);
    const cleared = await this.#m.log.replaceTail(key, opened.epoch, empty, [], empty, -1, 0);
    if (cleared !== 'ok') throw new Error(`the log could not be cleared: ${cleared}`);
    const [kernel, host] = await this.#kernel(key.enclave);
    let from = empty;
    await replayFile(source, known, kernel, host, this.#m, {
      verify: false,
      watermark: row,
      treeHead,
      onBatch: async (batch) => {
        await this.#append(key, opened.epoch, from, batch, kernel.dueAt);
        from = batch.head;
      },
    });
    if (from.seq !== final.seq || from.bundles !== final.bundles) throw new Error('the file changed while it was read');
  }

  /** Events come without a tree head: the same tree, signed once more. Null if the key is not held here. */
  async #signTreeHead(enclave: Uint8Array, known: Survey, final: Head): Promise<Uint8Array | null> {
    const key = (await this.#m.signer.lookup(enclave))?.key;
    if (!key || !sameBytes(key.public, known.lastSequencer)) return null;
    return key.sign(sthMessage(enclave, known.lastClosing, final.bundles, final.ctRoot));
  }

  #append(key: LogKey, epoch: Epoch, expected: Head, batch: SealedBatch, dueAt: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#m.log.append({
        key,
        epoch,
        expected,
        next: batch.head,
        batch,
        timestamp: batch.timestamp,
        dueAt,
        deletes: [],
        done: (result) =>
          result === 'ok' ? resolve() : reject(new Error(`the log did not take the snapshot: ${result}`)),
      });
    });
  }

  /** With the master secret that the enclave was born under, commits go on here. */
  async #keepKey(enclave: Uint8Array, known: Survey): Promise<void> {
    if (!known.seed || (await this.#m.signer.lookup(enclave))) return;
    const key = this.#m.signer.recognise(known.seed, known.lastSequencer);
    if (key) await this.#m.signer.adopt(enclave, known.seed, known.creator, key);
  }

  async #kernel(enclave: Uint8Array): Promise<[Kernel, EnclaveHost]> {
    const found = await this.#m.signer.lookup(enclave);
    const host = new EnclaveHost(this.#m.secp, this.#m.sessions, null);
    const kernel = this.#m.newKernel(host);
    // The snapshot's first sequencer authorised the Manifest; a key held here may be that of a later one.
    kernel.create({
      enclave,
      lane: 0,
      expWindow: this.#m.expWindow,
      ...(found?.provisioned ? { provisioned: found.creator ? { creator: found.creator } : {} } : {}),
    });
    return [kernel, host];
  }
}

/** `more`: `changed: false` if there was no need to take the file in. */
function placed(enclave: Uint8Array, { seq, bundles }: Head, more: { changed?: false } = {}): Answer {
  const body = { ok: true, enclave: toHex(enclave), head: seq, bundles, ...more };
  return { code: 0, body: Buffer.from(JSON.stringify(body)) };
}
