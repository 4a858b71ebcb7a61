import type { Inspector } from '../../kernel/kernel.ts';
import {
  type Need,
  REQUEST_BUNDLE,
  REQUEST_CONSISTENCY,
  REQUEST_INCLUSION,
  REQUEST_STATE,
  REQUEST_STATE_BATCH,
  type REQUEST_STH,
  TYPES,
} from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import type { EnclaveLog } from '../log/enclave-log.ts';
import type { EnclaveActor } from './actor.ts';
import { errorBytes } from './answers.ts';
import type { Enclaves } from './enclaves.ts';
import { storedMeta } from './hydrate.ts';
import { sameBytes } from './in-flight.ts';
import { answerNeed } from './overlay.ts';

const UNAVAILABLE = errorNumber('unavailable');
const EVENT_NOT_FOUND = errorNumber('event_not_found');

/** Rounds of questions that one read may ask: a proof needs three. */
const MAX_ROUNDS = 16;
const NAMESPACE_EVENT_STATUS = 1;
const TYPE_UPDATE = TYPES.indexOf('Update');
const TYPE_DELETE = TYPES.indexOf('Delete');

export interface Answer {
  /** 0, or an error number */
  readonly code: number;
  /** JSON bytes */
  readonly body: Uint8Array;
}

export const failed = (code: number, detail = ''): Answer => ({ code, body: errorBytes(code, detail) });

export interface ReadsModules {
  readonly enclaves: Enclaves;
  readonly log: EnclaveLog;
  readonly inspector: Inspector;
  readonly now: () => number;
}

/** Reads that the kernel answers alone: Info, tree heads, proofs; and receipts. Queries are in query.ts. */
export class Reads {
  readonly #m: ReadsModules;

  constructor(modules: ReadsModules) {
    this.#m = modules;
  }

  /** `request`: an inspected request (IR) without an error of its own. */
  async read(request: Uint8Array): Promise<Answer> {
    const first = await this.#tryRead(request);
    // The enclave may have been evicted or reopened meanwhile; its next owner answers.
    return first.code === UNAVAILABLE ? this.#tryRead(request) : first;
  }

  #tryRead(request: Uint8Array): Promise<Answer> {
    const read = (actor: EnclaveActor): Promise<Answer> =>
      this.#readFrom(actor, request).catch((error: unknown) => {
        // What an actor has sealed and lost is nowhere: the kernel asks for it in vain.
        if (actor.dropped) return failed(UNAVAILABLE);
        throw error;
      });
    return this.#m.enclaves.reading(request.subarray(8, 40), read, failed);
  }

  async #readFrom(actor: EnclaveActor, request: Uint8Array): Promise<Answer> {
    actor.pump();
    await this.#fetchTargets(request, actor);
    const fixed = fixTreeSize(request, actor.kernel.head().bundles);
    const answers: Uint8Array[] = [];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const result = actor.kernel.read(fixed, this.#m.now(), answers);
      if (result.kind === 'need') {
        for (const need of result.needs) {
          const found = await answerNeed(need as Need, this.#m.log, actor.key, actor.unreleased);
          if (need.kind === 4 && found.length > 0) await this.#fetchTargetOf(found, actor);
          answers.push(found);
        }
        continue;
      }
      const lost = await actor.settled();
      if (lost !== 0) return failed(lost);
      return result.kind === 'json' ? { code: 0, body: result.bytes } : failed(result.code, result.detail);
    }
    throw new Error(`a read asked for more than ${MAX_ROUNDS} times`);
  }

  /** The receipt of an accepted commit, for whoever has its signature (PROTOCOL §9). */
  receipt(enclave: Uint8Array, hash: Uint8Array, sig: Uint8Array): Promise<Answer> {
    return this.#m.enclaves.reading(enclave, (actor) => this.#receiptOf(actor, hash, sig), failed);
  }

  async #receiptOf(actor: EnclaveActor, hash: Uint8Array, sig: Uint8Array): Promise<Answer> {
    const lost = await actor.settled();
    if (lost !== 0) return failed(lost);
    // Looked at before the log: what is released later has a later time, so nothing up to this one is still to come.
    const { releasedTime } = actor;
    const seq = await this.#m.log.findHash(actor.key, hash);
    if (seq >= 0 && seq <= actor.released.seq) {
      const stored = await this.#m.log.record(actor.key, seq);
      if (stored && sameBytes(stored.record.subarray(144, 208), sig)) {
        return { code: 0, body: this.#m.inspector.receipt(actor.key.enclave, stored.record) };
      }
    }
    return failed(EVENT_NOT_FOUND, `"timestamp":${releasedTime}`);
  }

  /** The kernel may ask for what an Update or Delete refers to. */
  async #fetchTargetOf(record: Uint8Array, actor: EnclaveActor): Promise<void> {
    if (record[6] === TYPE_UPDATE || record[6] === TYPE_DELETE) await this.#fetch(record.slice(304, 336), actor);
  }

  async #fetch(id: Uint8Array, actor: EnclaveActor): Promise<void> {
    if (actor.host.knows(id)) return;
    const meta = await storedMeta(actor.key, id, actor.released.seq, this.#m.log);
    if (meta) actor.host.remember(id, meta);
  }

  async #fetchTargets(request: Uint8Array, actor: EnclaveActor): Promise<void> {
    const kind = request[6];
    const ids: Uint8Array[] = [];
    if ((kind === REQUEST_INCLUSION || kind === REQUEST_BUNDLE) && request[144] === 1)
      ids.push(request.slice(168, 200));
    if ((kind === REQUEST_STATE || kind === REQUEST_STATE_BATCH) && request[144] === NAMESPACE_EVENT_STATUS) {
      const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
      const count = view.getUint32(148, true);
      for (let i = 0, at = 152; i < count; i++) {
        const length = view.getUint16(at, true);
        if (length === 32) ids.push(request.slice(at + 2, at + 34));
        at += 2 + length;
      }
    }
    for (const id of ids) await this.#fetch(id, actor);
  }
}

/** A proof is for one tree size: the one that is sealed when the read begins, if the reader named none. */
function fixTreeSize(request: Uint8Array, bundles: number): Uint8Array {
  const kind = request[6];
  if (kind === REQUEST_INCLUSION && request[145] === 0) {
    const fixed = request.slice();
    fixed[145] = 1;
    new DataView(fixed.buffer).setBigUint64(144 + 16, BigInt(bundles), true);
    return fixed;
  }
  if (kind === REQUEST_CONSISTENCY) {
    const view = new DataView(request.buffer, request.byteOffset);
    if (view.getBigInt64(152, true) >= 0n) return request;
    const fixed = request.slice();
    new DataView(fixed.buffer).setBigInt64(152, BigInt(bundles), true);
    return fixed;
  }
  return request;
}

/** IR of a GET that has no body: tree head and consistency. */
export function getRequest(
  kind: typeof REQUEST_STH | typeof REQUEST_CONSISTENCY,
  enclave: Uint8Array,
  from = -1,
  to = -1,
): Uint8Array {
  const request = new Uint8Array(160);
  const view = new DataView(request.buffer);
  view.setUint32(0, 160, true);
  request[6] = kind;
  request.set(enclave, 8);
  view.setBigInt64(144, BigInt(from), true);
  view.setBigInt64(152, BigInt(to), true);
  return request;
}
