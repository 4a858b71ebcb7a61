import { createHash } from 'node:crypto';
import { encode } from 'cborg';
import { type Head, IC_ERASED, IC_TAGS, RECORD_EVENT, TYPES } from '../../kernel/kernel.ts';
import { commitMembers } from '../../protocol/commit.ts';
import { toHex } from '../../protocol/hex.ts';
import { algOf, readClosingRecord, readEventRecord, splitRecords } from '../../protocol/records.ts';
import type { Exchange } from '../api/api.ts';
import type { EnclaveLog, LogKey } from '../log/enclave-log.ts';
import { EnclaveActor } from './actor.ts';
import { errorBytes } from './answers.ts';
import type { Enclaves } from './enclaves.ts';

const TYPE_UPDATE = TYPES.indexOf('Update');
const READ_BYTES = 1 << 20;
/** Encoded items are handed to the socket in pieces of about this size. */
const CHUNK_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);

export interface SnapshotsModules {
  readonly enclaves: Enclaves;
  readonly log: EnclaveLog;
  readonly now: () => number;
}

/** Writes `.enc` files (PROTOCOL §10), streamed: memory does not grow with the enclave. They never hold a secret. */
export class Snapshots {
  readonly #m: SnapshotsModules;

  constructor(modules: SnapshotsModules) {
    this.#m = modules;
  }

  async send(enclave: Uint8Array, exchange: Exchange): Promise<void> {
    const fail = (code: number): void => exchange.answer(code, errorBytes(code));
    const actor = await this.#m.enclaves.actor(enclave);
    if (!(actor instanceof EnclaveActor)) return fail(actor);
    const lost = await actor.settled();
    if (lost !== 0) return fail(lost);
    const head = actor.released;
    // What has been deleted up to this head is gone before the first byte is read.
    await this.#m.log.erased();
    exchange.begin('snapshot', enclave);
    for await (const chunk of chunked(snapshotItems(actor.key, head, this.#m.log, this.#m.now()))) {
      if (exchange.gone) return;
      if (!exchange.write(chunk)) await exchange.drained();
    }
    exchange.end(EMPTY);
  }
}

async function* chunked(items: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for await (const item of items) {
    parts.push(item);
    size += item.length;
    if (size < CHUNK_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(parts);
}

/** The encoded items of a snapshot that ends at `head`, which must be released. */
export async function* snapshotItems(
  key: LogKey,
  head: Head,
  log: EnclaveLog,
  now: number,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  const hashed = (item: Uint8Array): Uint8Array => {
    hash.update(item);
    return item;
  };
  const last = head.bundles > 0 ? await log.closing(key, head.bundles - 1) : await genesis(key, log);
  if (!last) throw new Error('the log has no tree head for its last bundle');
  const sth = readClosingRecord(last);
  yield hashed(
    encode({
      format: 'enc-snapshot',
      v: 1,
      enclave: key.enclave,
      sequencer: sth.sequencer,
      head: head.seq,
      bundles: head.bundles,
      created: now,
    }),
  );
  let seq = 0;
  let bundles = 0;
  while (seq <= head.seq || bundles < head.bundles) {
    const batches = await log.read(key, seq, READ_BYTES);
    let moved = false;
    for (const { skeleton, content } of batches) {
      let at = 0;
      for (const record of splitRecords(skeleton)) {
        if (record[4] === RECORD_EVENT) {
          const event = readEventRecord(record);
          const text = content.subarray(at, at + event.contentLength);
          at += event.contentLength;
          if (event.seq < seq || event.seq > head.seq) continue;
          yield hashed(eventItem(key.enclave, event, text));
          seq = event.seq + 1;
          moved = true;
        } else {
          const closing = readClosingRecord(record);
          if (closing.size === 0 || closing.index !== bundles || bundles >= head.bundles) continue;
          yield hashed(encode([1, closing.index, closing.firstSeq, closing.size, closing.t]));
          bundles++;
          moved = true;
        }
      }
    }
    if (!moved) throw new Error(`the log ends at seq ${seq - 1}, its head says ${head.seq}`);
  }
  const tree = {
    enclave: toHex(key.enclave),
    t: sth.t,
    ts: head.bundles,
    r: toHex(sth.ctRoot),
    sequencer: toHex(sth.sequencer),
    sig: toHex(sth.sthSig),
  };
  yield encode([2, tree, hash.digest()]);
}

async function genesis(key: LogKey, log: EnclaveLog): Promise<Uint8Array | null> {
  const [first] = await log.read(key, 0, 1);
  for (const record of splitRecords(first?.skeleton ?? EMPTY)) if (record[4] !== RECORD_EVENT) return record;
  return null;
}

function eventItem(enclave: Uint8Array, e: ReturnType<typeof readEventRecord>, content: Uint8Array): Uint8Array {
  const erased = (e.flags & IC_ERASED) !== 0;
  const commit = commitMembers({
    hash: toHex(e.hash),
    enclave: toHex(enclave),
    from: toHex(e.from),
    type: e.type,
    content: erased ? 'null' : Buffer.from(content.buffer, content.byteOffset, content.length).toString('utf8'),
    contentHash: erased ? toHex(e.contentHash) : undefined,
    exp: e.exp,
    tags: e.flags & IC_TAGS ? e.tags : undefined,
    alg: algOf(e.flags),
    sig: toHex(e.sig),
  });
  const item: unknown[] = [0, Buffer.from(`{${commit}}`), e.timestamp, e.seq, e.sequencer, e.seqSig];
  // An erased Update no longer says what it updated, and the state of its bundle depends on it.
  if (erased && TYPES.indexOf(e.type as never) === TYPE_UPDATE) item.push(e.target);
  return encode(item);
}
