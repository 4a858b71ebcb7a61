import {
  type Head,
  IC_ECDSA,
  IC_ERASED,
  type Inspector,
  type Kernel,
  type SealedBatch,
  TYPES,
} from '../../kernel/kernel.ts';
import { errorOf } from '../../protocol/errors.ts';
import { eventHash, eventId, sthMessage } from '../../protocol/hash.ts';
import { toHex } from '../../protocol/hex.ts';
import { isObject, parseJson } from '../../protocol/json.ts';
import { readCommitRecord } from '../../protocol/records.ts';
import type { CryptoPool, Secp256k1 } from '../crypto/crypto.ts';
import { sameHead } from '../log/head-bytes.ts';
import type { EnclaveHost } from './enclave-host.ts';
import { sameBytes } from './in-flight.ts';
import type { SnapshotEnd, SnapshotEvent, SnapshotHeader, SnapshotItem } from './snapshot-file.ts';

/** Events whose signatures are checked together. */
const CHUNK = 256;
const JOB = 136;
const TYPE_MIGRATE = TYPES.indexOf('Migrate');
const TYPE_MANIFEST = TYPES.indexOf('Manifest');
const TYPE_UPDATE = TYPES.indexOf('Update');
const TYPE_DELETE = TYPES.indexOf('Delete');

/** The file does not verify from this seq on. */
export class InvalidSnapshot extends Error {
  readonly seq: number;

  constructor(seq: number, why: string) {
    super(why);
    this.seq = seq;
  }
}

/** What a first look at a file tells: everything that later events of the file refer back to. */
export interface Survey {
  readonly enclave: Uint8Array;
  readonly end: SnapshotEnd;
  /** events that an Update or Delete refers to */
  readonly targets: ReadonlySet<string>;
  /** seq of the Delete of each deleted event, by id in hex */
  readonly deleted: ReadonlyMap<string, number>;
  /** t of the last closing, the Manifest's timestamp before the first */
  readonly lastClosing: number;
  /** key seed and author of the Manifest */
  readonly seed: Uint8Array | null;
  readonly creator: Uint8Array | null;
  /** first and current sequencer, and the one that the Manifest names */
  readonly firstSequencer: Uint8Array;
  readonly lastSequencer: Uint8Array;
  readonly named: Uint8Array | null;
}

/** Something that can be read more than once. */
export type Source = () => AsyncGenerator<SnapshotItem>;

/** First pass: shapes, order, sums; nothing is verified yet. Throws InvalidSnapshot. */
export async function survey(source: Source, enclave: Uint8Array, inspector: Inspector): Promise<Survey> {
  const targets = new Set<string>();
  const deleted = new Map<string, number>();
  let seed: Uint8Array | null = null;
  let creator: Uint8Array | null = null;
  let named: Uint8Array | null = null;
  let first: Uint8Array | null = null;
  let last: Uint8Array | null = null;
  let next = 0;
  let lastClosing = 0;
  let header: SnapshotHeader | null = null;
  let end: SnapshotEnd | null = null;
  for await (const item of items(source, () => next)) {
    if (item.kind === 'header') {
      if (!sameBytes(item.enclave, enclave)) throw new InvalidSnapshot(0, 'a snapshot of another enclave');
      header = item;
    }
    if (item.kind === 'end') end = item;
    if (item.kind === 'closing') lastClosing = item.t;
    if (item.kind !== 'event') continue;
    if (item.seq !== next) throw new InvalidSnapshot(next, 'a seq is missing');
    const commit = inspected(item, inspector);
    if (commit.typeNumber === TYPE_MANIFEST) {
      seed ??= commit.target.slice();
      creator ??= commit.from.slice();
      named ??= namedSequencer(commit.content);
    }
    if (commit.typeNumber === TYPE_UPDATE || commit.typeNumber === TYPE_DELETE) {
      const target = toHex(item.target ?? commit.target);
      targets.add(target);
      if (commit.typeNumber === TYPE_DELETE) deleted.set(target, item.seq);
    }
    if (item.seq === 0) lastClosing = item.timestamp;
    first ??= item.sequencer;
    last = item.sequencer;
    next++;
  }
  if (!end || !first || !last) throw new InvalidSnapshot(next, 'there is nothing in it');
  if (!end.intact) throw new InvalidSnapshot(next, 'the sum of the file is wrong');
  if (header && (header.head !== next - 1 || header.bundles !== end.ts))
    throw new InvalidSnapshot(next, 'the file does not hold what its header says');
  return {
    enclave,
    lastClosing,
    end,
    targets,
    deleted,
    seed,
    creator,
    firstSequencer: first,
    lastSequencer: last,
    named,
  };
}

export interface ReplayModules {
  readonly inspector: Inspector;
  readonly pool: CryptoPool;
  readonly secp: Secp256k1;
}

/**
 * Replays a file into an empty kernel. With `verify`, every signature is checked, the sequencer changes only through
 * Migrate, and the tree head must be that of the kernel. `watermark`: the head that the file must pass through.
 * `treeHead`: signature of the last tree head, if the file has none. `onBatch` gets what was folded, in pieces. Throws InvalidSnapshot naming the first bad seq.
 */
export async function replayFile(
  source: Source,
  known: Survey,
  kernel: Kernel,
  host: EnclaveHost,
  m: ReplayModules,
  options: {
    verify: boolean;
    watermark: Head | null;
    treeHead: Uint8Array | null;
    onBatch: (batch: SealedBatch) => Promise<void>;
  },
): Promise<{ contained: boolean }> {
  const { watermark } = options;
  const treeHead = known.end.sig ?? options.treeHead;
  let contained = watermark === null;
  let sequencer = known.firstSequencer;
  let openFirst = 0;
  let chunk: SnapshotItem[] = [];
  let events = 0;
  const note = (): void => {
    if (watermark && !contained) contained = sameHead(kernel.head(), watermark);
  };
  note();
  const foldEvent = (item: SnapshotEvent): void => {
    const ic = m.inspector.inspect(item.commit, 'snapshot').bytes;
    const commit = readCommitRecord(ic);
    if (!sameBytes(item.sequencer, sequencer))
      throw new InvalidSnapshot(item.seq, 'the sequencer changes without a Migrate');
    const erasedUpdate = commit.typeNumber === TYPE_UPDATE && ((ic[6] as number) & IC_ERASED) !== 0;
    const extra =
      item.seq === 0 && known.end.ts === 0
        ? (treeHead ?? undefined)
        : erasedUpdate
          ? erasedTarget(item, known)
          : undefined;
    const code = kernel.fold(ic, item.timestamp, item.sequencer, item.seqSig, extra);
    if (code !== 0) throw new InvalidSnapshot(item.seq, `the event is refused: ${errorOf(code).code}`);
    if (commit.typeNumber === TYPE_MIGRATE) sequencer = migratedTo(commit.content) ?? sequencer;
    const id = rememberTarget(host, known, item, commit);
    if ((ic[6] as number) & IC_ERASED)
      checkErased(item.seq, known.deleted.get(toHex(erasedUpdate && extra ? extra : id)));
    note();
  };
  const flush = async (): Promise<void> => {
    if (options.verify) await verifyChunk(chunk, m);
    for (const item of chunk) {
      if (item.kind === 'event') foldEvent(item);
      if (item.kind !== 'closing') continue;
      const head = kernel.head();
      if (item.index !== head.bundles || item.firstSeq !== openFirst || item.size !== head.seq + 1 - openFirst) {
        throw new InvalidSnapshot(item.firstSeq, 'a bundle does not end where its events end');
      }
      const isLast = item.index === known.end.ts - 1;
      const code = kernel.foldClosing(item.t, (isLast && treeHead) || new Uint8Array(64));
      if (code !== 0) throw new InvalidSnapshot(item.firstSeq, `a bundle cannot be closed: ${errorOf(code).code}`);
      openFirst = head.seq + 1;
      note();
      // A batch of its own, so that a watermark on this boundary is the head of a stored batch.
      await options.onBatch(kernel.takeFolded());
    }
    chunk = [];
    events = 0;
    const rest = kernel.takeFolded();
    if (rest.events + rest.closings > 0) await options.onBatch(rest);
  };
  for await (const item of items(source, () => kernel.head().seq + 1)) {
    if (item.kind === 'header' || item.kind === 'end') continue;
    chunk.push(item);
    if (item.kind === 'event') events++;
    if (events >= CHUNK || (watermark && item.kind === 'event' && item.seq === watermark.seq)) await flush();
  }
  await flush();
  const { end } = known;
  const head = kernel.head();
  const { r, sig } = end;
  // The time of the last closing is in no hash but the tree head's: stored otherwise, its signature would not check.
  const timely = end.t === known.lastClosing;
  const proven =
    r !== null && sig !== null && timely && sameBytes(r, head.ctRoot) && signedTreeHead(end, r, sig, known, m.secp);
  if (end.ts !== head.bundles || (options.verify && sig !== null && !proven)) {
    throw new InvalidSnapshot(head.seq + 1, 'the tree head does not belong to these events');
  }
  return { contained };
}

async function* items(source: Source, seq: () => number): AsyncGenerator<SnapshotItem> {
  try {
    yield* source();
  } catch (error) {
    if (error instanceof InvalidSnapshot) throw error;
    throw new InvalidSnapshot(seq(), error instanceof Error ? error.message : 'unreadable');
  }
}

function inspected(item: SnapshotEvent, inspector: Inspector): ReturnType<typeof readCommitRecord> {
  const inspection = inspector.inspect(item.commit, 'snapshot');
  if (inspection.kind !== 'commit') throw new InvalidSnapshot(item.seq, 'the commit is not one');
  const code = (inspection.bytes[4] as number) | ((inspection.bytes[5] as number) << 8);
  if (code !== 0) throw new InvalidSnapshot(item.seq, `the commit is refused: ${errorOf(code).code}`);
  return readCommitRecord(inspection.bytes);
}

/** Client and sequencer signatures of a chunk, in the pool. */
async function verifyChunk(chunk: readonly SnapshotItem[], m: ReplayModules): Promise<void> {
  const events = chunk.filter((item) => item.kind === 'event');
  if (events.length === 0) return;
  const inputs = new Uint8Array(events.length * 2 * JOB);
  events.forEach((event, i) => {
    const commit = inspected(event, m.inspector);
    const at = i * 2 * JOB;
    inputs[at] = (commit.flags & IC_ECDSA) !== 0 ? 1 : 0;
    inputs.set(commit.from, at + 8);
    inputs.set(commit.hash, at + 40);
    inputs.set(commit.sig, at + 72);
    inputs.set(event.sequencer, at + JOB + 8);
    inputs.set(eventHash(commit.hash, commit.sig, event.sequencer, event.seq, event.timestamp), at + JOB + 40);
    inputs.set(event.seqSig, at + JOB + 72);
  });
  const results = await new Promise<Uint8Array | null>((resolve) => m.pool.verify(inputs, events.length * 2, resolve));
  if (!results) throw new Error('the crypto pool is closed');
  const bad = results.indexOf(0);
  if (bad >= 0) throw new InvalidSnapshot((events[bad >> 1] as SnapshotEvent).seq, 'a signature is not good');
}

/** Signed by whoever was sequencer at the last closing: the current one, or the one before a Migrate that nothing followed. */
function signedTreeHead(end: SnapshotEnd, r: Uint8Array, sig: Uint8Array, known: Survey, secp: Secp256k1): boolean {
  if (!sameBytes(end.sequencer, known.lastSequencer)) return false;
  return secp.verifySchnorr(end.sequencer, sthMessage(known.enclave, end.t, end.ts, r), sig);
}

/** An erased Update does not say what it updated; if only one deleted event can be meant, that one. */
function erasedTarget(item: SnapshotEvent, known: Survey): Uint8Array {
  if (item.target) return item.target;
  const candidates = [...known.deleted].filter(([, seq]) => seq > item.seq);
  if (candidates.length !== 1) throw new InvalidSnapshot(item.seq, 'an erased Update does not name its target');
  return Buffer.from((candidates[0] as [string, number])[0], 'hex');
}

function rememberTarget(
  host: EnclaveHost,
  known: Survey,
  item: SnapshotEvent,
  commit: ReturnType<typeof readCommitRecord>,
): Uint8Array {
  const id = eventId(eventHash(commit.hash, commit.sig, item.sequencer, item.seq, item.timestamp), item.seqSig);
  if (known.targets.has(toHex(id))) host.keep(id, metaOfCommit(commit, item.seq));
  return id;
}

/** Content may be missing only where a later Delete of the file took it away. */
function checkErased(seq: number, deletedAt: number | undefined): void {
  if (deletedAt === undefined || deletedAt <= seq)
    throw new InvalidSnapshot(seq, 'the content is missing, but nothing deleted it');
}

function metaOfCommit(commit: ReturnType<typeof readCommitRecord>, seq: number): Uint8Array {
  const meta = new Uint8Array(46 + commit.type.length);
  const view = new DataView(meta.buffer);
  meta.set(commit.from);
  view.setBigUint64(32, BigInt(seq), true);
  view.setUint16(44, commit.type.length, true);
  meta.set(Buffer.from(commit.type), 46);
  return meta;
}

function contentField(content: Uint8Array, name: string): Uint8Array | null {
  const parsed = parseJson(content);
  if (!parsed || !isObject(parsed.value)) return null;
  const value = parsed.value.get(name);
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? Buffer.from(value, 'hex') : null;
}

const namedSequencer = (content: Uint8Array): Uint8Array | null => contentField(content, 'sequencer');
const migratedTo = (content: Uint8Array): Uint8Array | null => contentField(content, 'new_sequencer');
