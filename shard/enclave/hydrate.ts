import type { EnclaveParams, Head, Kernel, KernelHost } from '../../kernel/kernel.ts';
import type { Secp256k1 } from '../crypto/crypto.ts';
import type { ReleaseGuard } from '../guard/release-guard.ts';
import type { Batch, Checkpoint, EnclaveLog, LogKey, Opened } from '../log/enclave-log.ts';
import { emptyHead, sameHead } from '../log/head-bytes.ts';
import type { SequencerKey } from '../signer/sequencer-key.ts';
import type { ActorState } from './actor.ts';
import { EnclaveHost, type SessionCache } from './enclave-host.ts';
import { nameOf } from './name.ts';
import { metaOf } from './overlay.ts';
import { SLICE_MS, slice, sliceEnd } from './slices.ts';

/** Bytes of log that are read at once while replaying. */
const READ_BYTES = 4 << 20;

export interface HydrateModules {
  readonly log: EnclaveLog;
  readonly guard: ReleaseGuard;
  readonly secp: Secp256k1;
  readonly sessions: SessionCache;
  readonly newKernel: (host: KernelHost) => Kernel;
  /** random nonce of this process: owner of the epochs that it raises */
  readonly owner: Uint8Array;
  readonly expWindow: number;
}

/** The log lacks what the guard says was released, or the guard lacks the enclave (ARCHITECTURE §3). */
export class EnclaveRegressed extends Error {
  readonly why: string;

  constructor(why: string) {
    super(`the log does not contain what was released: ${why}`);
    this.why = why;
  }
}

/** A new enclave: its guard row stands before its first append. Throws EnclaveRegressed if there is more than that. A crash
 *  on the way leaves an empty log, a guard row at seq −1 or both: the enclave may still be founded. */
export async function createEnclave(
  key: LogKey,
  sequencer: SequencerKey,
  params: EnclaveParams,
  m: HydrateModules,
): Promise<ActorState> {
  const empty = emptyHead(key.enclave);
  const askedAt = performance.now();
  const [isNew, opened] = await Promise.all([m.guard.create(key, empty), m.log.open(key, m.owner)]);
  if (!isNew) {
    const row = await m.guard.read(key);
    if (!row || row.seq !== -1) throw new EnclaveRegressed('the guard knows this enclave, the log does not');
  }
  if (opened.head.seq !== -1) throw new Error('the enclave was created elsewhere in the meantime');
  const host = new EnclaveHost(m.secp, m.sessions, sequencer);
  const kernel = m.newKernel(host);
  kernel.create(params);
  return {
    key,
    ownedAt: askedAt,
    kernel,
    host,
    sequencer,
    epoch: opened.epoch,
    head: empty,
    checkpointSeq: -1,
    checkpointBytes: 0,
    batches: 0,
    bytes: 0,
  };
}

/**
 * Opens an enclave from its log: takes the epoch, replays checkpoint and tail, and compares with the guard before
 * anything is served. A log that is ahead of the watermark (a crash between append and guard) moves it up.
 */
export async function hydrate(
  key: LogKey,
  sequencer: SequencerKey | null,
  params: EnclaveParams,
  m: HydrateModules,
): Promise<ActorState> {
  const row = await m.guard.read(key);
  if (!row) throw new EnclaveRegressed('the guard has no row for it');
  const before = await m.log.head(key);
  if (!before || before.seq < row.seq)
    throw new EnclaveRegressed(`it ends at seq ${before?.seq ?? -1}, seq ${row.seq} was released`);
  const askedAt = performance.now();
  const opened = await m.log.open(key, m.owner);
  const useCheckpoint = opened.checkpoint !== null && opened.checkpoint.head.seq <= row.seq;
  const replayed = await replay(key, sequencer, params, m, opened, useCheckpoint ? opened.checkpoint : null, row);
  if (!replayed.contained) throw new EnclaveRegressed(`its history differs from what was released at seq ${row.seq}`);
  const { kernel, host } = replayed;
  const head = kernel.head();
  if (!sameHead(head, opened.head)) throw new Error('the log replays to another head than it records');
  if (!sameHead(head, row)) await moveUp(key, row, head, m.guard);
  return {
    key,
    ownedAt: askedAt,
    kernel,
    host,
    sequencer,
    epoch: opened.epoch,
    head,
    checkpointSeq: replayed.checkpoint?.head.seq ?? -1,
    checkpointBytes: replayed.checkpoint?.base.length ?? 0,
    batches: replayed.batches,
    bytes: opened.bytes,
  };
}

interface Replayed {
  readonly kernel: Kernel;
  readonly host: EnclaveHost;
  readonly checkpoint: Checkpoint | null;
  /** that were replayed behind it */
  readonly batches: number;
  /** the watermark was met on the way */
  readonly contained: boolean;
}

async function replay(
  key: LogKey,
  sequencer: SequencerKey | null,
  params: EnclaveParams,
  m: HydrateModules,
  opened: Opened,
  checkpoint: Checkpoint | null,
  row: Head,
): Promise<Replayed> {
  // A short replay, such as most are, is not worth a turn of the event loop.
  let until = performance.now() + SLICE_MS;
  const host = new EnclaveHost(m.secp, m.sessions, sequencer);
  const kernel = m.newKernel(host);
  if (checkpoint) {
    try {
      kernel.load(params, checkpoint.base, checkpoint.recents);
    } catch {
      return replay(key, sequencer, params, m, opened, null, row);
    }
  } else kernel.create(params);
  let head = kernel.head();
  let contained = sameHead(head, row);
  let replayed = 0;
  while (!sameHead(head, opened.head)) {
    const batches = await m.log.read(key, head.seq + 1, READ_BYTES);
    const before = replayed;
    for (const batch of batches) {
      if (folded(batch, head)) continue;
      if (performance.now() >= until) {
        await slice();
        until = sliceEnd();
      }
      await fetchTargets(key, batch, host, m.log);
      kernel.replay(batch.skeleton, batch.content);
      replayed++;
      head = kernel.head();
      contained ||= sameHead(head, row);
    }
    if (replayed === before) throw new Error(`the log ends at seq ${head.seq}, its head says ${opened.head.seq}`);
  }
  return { kernel, host, checkpoint, batches: replayed, contained };
}

/** A checkpoint ends at the end of a batch: batches that it covers are skipped whole. */
function folded(batch: Batch, head: Head): boolean {
  if (batch.events > 0) return batch.firstSeq + batch.events - 1 <= head.seq;
  const index = new DataView(batch.skeleton.buffer, batch.skeleton.byteOffset).getUint32(8, true);
  return index < head.bundles;
}

/** Update and Delete name earlier events; the kernel asks for them while it replays. */
export async function fetchTargets(key: LogKey, batch: Batch, host: EnclaveHost, log: EnclaveLog): Promise<void> {
  const { skeleton } = batch;
  const view = new DataView(skeleton.buffer, skeleton.byteOffset, skeleton.byteLength);
  let own: Map<string, Uint8Array> | null = null;
  for (let at = 0; at < skeleton.length; at += view.getUint32(at, true)) {
    const type = skeleton[at + 6];
    if (skeleton[at + 4] !== 0 || (type !== 10 && type !== 11)) continue;
    const target = skeleton.slice(at + 304, at + 336);
    if (host.knows(target)) continue;
    own ??= ownEvents(skeleton, view);
    const mine = own.get(nameOf(target));
    const meta = mine ?? (await storedMeta(key, target, Number.MAX_SAFE_INTEGER, log));
    if (meta) host.remember(target, meta);
  }
}

function ownEvents(skeleton: Uint8Array, view: DataView): Map<string, Uint8Array> {
  const events = new Map<string, Uint8Array>();
  for (let at = 0; at < skeleton.length; at += view.getUint32(at, true)) {
    if (skeleton[at + 4] !== 0) continue;
    const record = skeleton.subarray(at, at + view.getUint32(at, true));
    events.set(nameOf(record.subarray(48, 80)), metaOf(record));
  }
  return events;
}

/** Meta of the stored event with this id, if its seq is at most `released`. */
export async function storedMeta(
  key: LogKey,
  id: Uint8Array,
  released: number,
  log: EnclaveLog,
): Promise<Uint8Array | null> {
  const seq = await log.findId(key, id);
  if (seq < 0 || seq > released) return null;
  const stored = await log.record(key, seq);
  return stored ? metaOf(stored.record) : null;
}

function moveUp(key: LogKey, from: Head, to: Head, guard: ReleaseGuard): Promise<void> {
  return new Promise((resolve, reject) => {
    guard.advance({
      key,
      from,
      to,
      done: (result) =>
        result === 'ok' ? resolve() : reject(new Error(`the watermark could not be moved up: ${result}`)),
    });
  });
}
