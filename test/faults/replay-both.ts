import type { Kernel, KernelHost } from '../../kernel/kernel.ts';
import { createReferenceInspector } from '../../kernel/reference/inspector.ts';
import { createReferenceKernel } from '../../kernel/reference/kernel.ts';
import { createWasmInspector } from '../../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../../kernel/wasm-kernel.ts';
import { loadWasmModule } from '../../kernel/wasm-module.ts';
import { errorOf } from '../../protocol/errors.ts';
import { eventHash, eventId } from '../../protocol/hash.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { readClosingRecord, readCommitRecord, splitRecords } from '../../protocol/records.ts';
import type { View } from './outside-view.ts';
import { type SnapshotParts, takeApart } from './snapshot-items.ts';

const CLOSING = 1;

/** What a replay ends in: comparable between kernels and with what the node proves. */
interface Replayed {
  readonly stateHash: string;
  readonly chain: string;
  readonly ctRoot: string;
  /** state hash of each closed bundle */
  readonly closed: readonly string[];
}

/**
 * I7: the snapshot replays in both kernels to the same state, that state is what the node's proofs are against, and the
 * snapshot holds the same events as the pull. Returns violations.
 */
export async function checkReplay(view: View): Promise<string[]> {
  const enclave = view.enclave.id;
  const found: string[] = [];
  const say = (why: string): void => void found.push(`I7 ${enclave}: ${why}`);
  let parts: SnapshotParts;
  try {
    parts = takeApart(view.snapshot);
  } catch (error) {
    return [`I7 ${enclave}: the snapshot can't be read: ${String(error)}`];
  }
  if (!parts.end.intact) say('the sum of the snapshot is wrong');
  const events = parts.items.filter((item) => item.kind === 'event');
  if (events.length !== view.events.length)
    say(`the snapshot has ${events.length} events, the log ${view.events.length}`);
  for (const event of events) {
    const pulled = view.events[event.seq];
    if (pulled && toHex(event.seqSig) !== pulled.seq_sig)
      say(`I2 event ${event.seq} of the snapshot is another one than in the log`);
  }
  const module = await loadWasmModule();
  const limits = { maxCommit: 1 << 20, maxArray: 1000 };
  const results: Replayed[] = [];
  const kernels = [
    ['reference', createReferenceKernel, createReferenceInspector(limits)],
    ['wasm', (host: KernelHost) => createWasmKernel(module, host), createWasmInspector(module, limits)],
  ] as const;
  for (const [name, make, inspector] of kernels) {
    try {
      results.push(replay(parts, unhex(enclave), make, (commit) => inspector.inspect(commit, 'snapshot').bytes));
    } catch (error) {
      say(`the ${name} kernel refuses the snapshot: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const [reference, wasm] = results;
  if (!reference || !wasm) return found;
  for (const key of ['stateHash', 'chain', 'ctRoot'] as const)
    if (reference[key] !== wasm[key]) say(`the kernels differ in ${key}`);
  if (reference.closed.join() !== wasm.closed.join()) say('the kernels differ in the state hashes of the bundles');
  if (reference.ctRoot !== view.sth.r) say('the replay leads to another CT root than the tree head');
  if (reference.closed.at(-1) !== view.state?.state_hash)
    say('the state proof is against another state than the replay');
  if (reference.closed.length !== view.sth.ts) say('the snapshot has another number of bundles than the tree head');
  return found;
}

function replay(
  parts: SnapshotParts,
  enclave: Uint8Array,
  make: (host: KernelHost) => Kernel,
  inspect: (commit: Uint8Array) => Uint8Array,
): Replayed {
  const metas = new Map<string, Uint8Array>();
  const kernel = make({
    signSeq: () => -1,
    verify: () => true,
    eventMeta: (id, out) => {
      const meta = metas.get(toHex(id));
      if (!meta) return 0;
      out.set(meta);
      return meta.length;
    },
  });
  kernel.create({ enclave, lane: 0, expWindow: 600_000 });
  const sth = parts.end.sth;
  const last = Number(sth['ts']) - 1;
  const sthSig = unhex(String(sth['sig']));
  const closed: string[] = [];
  const taken = (): void => {
    for (const record of splitRecords(kernel.takeFolded().skeleton)) {
      if (record[4] === CLOSING) closed.push(toHex(readClosingRecord(record).stateHash));
    }
  };
  for (const item of parts.items) {
    if (item.kind === 'closing') {
      const code = kernel.foldClosing(item.t, item.index === last ? sthSig : new Uint8Array(64));
      if (code !== 0) throw new Error(`closing ${item.index}: ${errorOf(code).code}`);
      taken();
      continue;
    }
    const ic = inspect(item.commit);
    const commit = readCommitRecord(ic);
    const extra = item.seq === 0 && last < 0 ? sthSig : item.target;
    const code = kernel.fold(ic, item.timestamp, item.sequencer, item.seqSig, extra);
    if (code !== 0) throw new Error(`event ${item.seq}: ${errorOf(code).code}`);
    const id = eventId(eventHash(commit.hash, commit.sig, item.sequencer, item.seq, item.timestamp), item.seqSig);
    metas.set(toHex(id), meta(commit.from, item.seq, commit.type));
  }
  taken();
  const head = kernel.head();
  return { stateHash: toHex(kernel.stateHash()), chain: toHex(head.chain), ctRoot: toHex(head.ctRoot), closed };
}

/** As KernelHost.eventMeta: from, seq, lane, type. */
function meta(from: Uint8Array, seq: number, type: string): Uint8Array {
  const bytes = Buffer.alloc(46 + type.length);
  bytes.set(from);
  bytes.writeBigUInt64LE(BigInt(seq), 32);
  bytes.writeUInt16LE(type.length, 44);
  bytes.write(type, 46, 'ascii');
  return bytes;
}
