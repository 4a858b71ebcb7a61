import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { canonical, parseJson } from '../../protocol/json.ts';
import { eventOf, readClosingRecord, readEventRecord, recordKind, splitRecords } from '../../protocol/records.ts';
import { IC_ERASED, type Kernel, RECORD_EVENT, type SealedBatch } from '../kernel.ts';
import { admin, alice, bob, groupManifest, owner } from './group.test-util.ts';
import { createReferenceKernel } from './kernel.ts';
import { found, inspect, MemoryLog, TestNode } from './memory-node.test-util.ts';

/** A seeded run through most event types, refusals and closings included. */
function run(seed: number): TestNode {
  let random = seed;
  const next = (n: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((random / 2 ** 32) * n);
  };
  const people = [owner, admin, alice, bob];
  const node = found(owner, groupManifest());
  node.send(alice, 'Message', 'to be deleted');
  const gone = { target: toHex(node.event(1).id) };
  node.send(alice, 'Update', { ...gone, content: 'changed' });
  node.send(alice, 'Delete', gone);
  for (let step = 0; step < 100; step++) {
    const who = people[next(4)] ?? owner;
    const target = people[next(4)] ?? alice;
    const id = toHex(node.event(next(node.log.events.length)).id);
    const acts: [string, unknown][] = [
      ['Message', { step }],
      ['Message', { step }],
      ['Move', { target: target.id, from: 'MEMBER', to: 'OUTSIDER' }],
      ['Move', { target: target.id, from: 'OUTSIDER', to: 'MEMBER' }],
      ['Grant', { target: target.id, trait: 'mod' }],
      ['Shared', { key: 'topic', value: step }],
      ['Own', { key: `k${next(3)}`, ...(next(2) === 0 ? { delete: true } : { value: step }) }],
      ['Update', { target: id, content: step }],
      ['Delete', { target: id }],
      ['Gate', { alias: 'joining', open: next(2) === 0 }],
      ['AC_Bundle', { ops: [{ type: 'Move', content: { target: target.id, from: 'OUTSIDER', to: 'MEMBER' } }] }],
    ];
    const [type, content] = acts[next(acts.length)] ?? ['Message', 1];
    node.send(who, type, content, next(3) === 0 ? { tags: [['n', `${step}`]] } : {});
    node.now += next(2000);
  }
  node.close();
  return node;
}

function assertSame(a: Kernel, b: Kernel): void {
  assert.equal(toHex(b.stateHash()), toHex(a.stateHash()));
  assert.deepEqual(b.head(), a.head());
  assert.equal(toHex(b.exportBase()), toHex(a.exportBase()));
  assert.equal(toHex(b.exportRecents(0)), toHex(a.exportRecents(0)));
}

const SEED = 7;

test(`a replay of the records gives the same state, head and exports (seed ${SEED})`, () => {
  const node = run(SEED);
  assert.ok(node.log.events.length > 25);
  const copy = new TestNode(node.enclave);
  copy.log.append(node.log);
  copy.kernel.replay(node.log.skeleton, node.log.content);
  assertSame(node.kernel, copy.kernel);
});

test('a replay in pieces, and on from an exported state, ends the same', () => {
  const node = run(SEED + 1);
  const pieces = new TestNode(node.enclave);
  pieces.log.append(node.log);
  let base: Uint8Array | null = null;
  let recents: Uint8Array = new Uint8Array(0);
  const rest: { record: Uint8Array; body: Uint8Array }[] = [];
  let at = 0;
  let pending: Uint8Array[] = [];
  for (const record of splitRecords(node.log.skeleton)) {
    const length = recordKind(record) === RECORD_EVENT ? readEventRecord(record).contentLength : 0;
    const body = node.log.content.slice(at, at + length);
    at += length;
    if (base !== null) rest.push({ record, body });
    pending.push(record);
    if (recordKind(record) === RECORD_EVENT && readEventRecord(record).seq === 0) continue;
    pieces.kernel.replay(concat(...pending), pending.length > 1 ? node.log.content.slice(0, at) : body);
    pending = [];
    if (base === null && pieces.kernel.head().bundles === 4 && pieces.kernel.atBoundary) {
      base = pieces.kernel.exportBase();
      recents = pieces.kernel.exportRecents(0);
    }
  }
  assertSame(node.kernel, pieces.kernel);
  assert.ok(base !== null && rest.length > 5);
  const loaded = new TestNode(node.enclave);
  loaded.log.append(node.log);
  loaded.kernel.load(loaded.params(), base, [recents]);
  loaded.kernel.replay(concat(...rest.map(({ record }) => record)), concat(...rest.map(({ body }) => body)));
  assertSame(node.kernel, loaded.kernel);
});

test('a loaded kernel goes on exactly like the one it was exported from', () => {
  const node = run(SEED + 2);
  const loaded = new TestNode(node.enclave);
  loaded.log.append(node.log);
  loaded.kernel.load(loaded.params(), node.kernel.exportBase(), [node.kernel.exportRecents(0)]);
  const text = (n: number) => node.sign(n % 2 === 0 ? admin : owner, 'Message', n);
  for (let n = 0; n < 6; n++) {
    const bytes = inspect(canonical(parseJson(utf8(JSON.stringify(text(n))))?.value ?? null)).bytes;
    const results = [node, loaded].map((each) => {
      each.kernel.begin(node.now + n);
      const code = each.kernel.stage(bytes, 0);
      return { code, batch: each.finish() };
    });
    assert.deepEqual(results[1], results[0]);
  }
  node.close();
  loaded.now = node.now;
  loaded.close();
  assertSame(node.kernel, loaded.kernel);
});

test('folding the commits and closings of a snapshot gives the same records and state', () => {
  const node = run(SEED + 3);
  const folded = new TestNode(node.enclave);
  foldAll(folded, node, () => false);
  const batch = folded.kernel.takeFolded();
  assert.equal(toHex(batch.skeleton), toHex(node.log.skeleton));
  assert.equal(toHex(batch.content), toHex(node.log.content));
  assert.equal(batch.events, node.log.events.length);
  assertSame(node.kernel, folded.kernel);
});

test('erased contents fold and replay: custom events, and Updates whose target is known', () => {
  const node = run(SEED + 4);
  const erased = new Set<number>();
  for (const event of node.log.events) {
    const of = event.type === 'Update' ? event.target : event.id;
    const gone = node.log.events.some((other) => other.type === 'Delete' && toHex(other.target) === toHex(of));
    if (gone && (event.typeNumber === 0 || event.type === 'Update')) erased.add(event.seq);
  }
  assert.ok(erased.size > 0);
  const folded = new TestNode(node.enclave);
  foldAll(folded, node, (seq) => erased.has(seq));
  const batch = folded.kernel.takeFolded();
  assertSame(node.kernel, folded.kernel);
  const replayed = new TestNode(node.enclave);
  replayed.log.append(batch);
  replayed.kernel.replay(batch.skeleton, batch.content);
  assertSame(node.kernel, replayed.kernel);
  // The flag is redundant: a log that only cuts contents is read as well.
  const unflagged = new TestNode(node.enclave);
  unflagged.kernel.replay(withoutFlags(batch), batch.content);
  assertSame(node.kernel, unflagged.kernel);
});

test('a replay refuses records that differ from their fold in any field but those of the tree head’s signature', () => {
  const node = found(owner, groupManifest());
  node.send(alice, 'Message', 'x', { tags: [['a']] });
  node.send(owner, 'Pause', {});
  node.close();
  const records = [...splitRecords(node.log.skeleton)];
  const places: [number, number][] = [];
  for (const [i, record] of records.entries()) {
    const padded = recordKind(record) === RECORD_EVENT ? 376 : record.length;
    for (let at = 5; at < padded; at += 9) places.push([i, at]);
  }
  let refused = 0;
  for (const [i, at] of places) {
    const changed = records.map((record) => record.slice());
    (changed[i] as Uint8Array)[at] = ((changed[i] as Uint8Array)[at] as number) ^ 1;
    const copy = createReferenceKernel(node.host);
    copy.create(node.params());
    try {
      copy.replay(concat(...changed), node.log.content);
    } catch {
      refused++;
      continue;
    }
    assert.ok(inTreeHead(records[i] as Uint8Array, at), `byte ${at} of record ${i} is not checked`);
  }
  assert.ok(refused > 100);
});

test('a fold refuses a wrong order: time, sequencer, bundle, duplicate, closing', () => {
  const node = found(owner, groupManifest());
  for (const n of [1, 2, 3]) node.send(alice, 'Message', n);
  const fresh = () => {
    const copy = createReferenceKernel(node.host);
    copy.create(node.params());
    return copy;
  };
  const event = (seq: number) => node.event(seq);
  const commit = (seq: number) => commitOf(node, seq, false);
  const fold = (kernel: Kernel, seq: number, timestamp = event(seq).timestamp, sequencer = event(seq).sequencer) =>
    kernel.fold(commit(seq), timestamp, sequencer, event(seq).seqSig);
  const zero = new Uint8Array(64);
  assert.equal(fold(fresh(), 1), 20);
  assert.equal(fresh().foldClosing(node.now, zero), 7);
  const kernel = fresh();
  assert.equal(fold(kernel, 0), 0);
  assert.equal(fold(kernel, 1, node.now - 1), 7);
  assert.equal(fold(kernel, 1, event(1).exp), 8);
  assert.equal(fold(kernel, 1, node.now, unhex(bob.id)), 7);
  assert.equal(fold(kernel, 1), 0);
  assert.equal(fold(kernel, 1), 7);
  assert.equal(kernel.foldClosing(node.now - 1, zero), 7);
  assert.equal(kernel.foldClosing(node.now, zero), 0);
  for (const seq of [2, 3]) assert.equal(fold(kernel, seq), 0);
  assert.equal(kernel.head().seq, 3);
});

test('a full bundle must be closed before the next event is folded', () => {
  const node = found(owner, groupManifest());
  for (const n of [1, 2, 3, 4]) node.send(alice, 'Message', n);
  const kernel = createReferenceKernel(node.host);
  kernel.create(node.params());
  const fold = (seq: number) =>
    kernel.fold(
      commitOf(node, seq, false),
      node.event(seq).timestamp,
      node.event(seq).sequencer,
      node.event(seq).seqSig,
    );
  for (const seq of [0, 1, 2, 3]) assert.equal(fold(seq), 0);
  assert.equal(fold(4), 7);
});

test('bytes that are no exported state, or another enclave’s, are not loaded', () => {
  const node = run(SEED);
  const base = node.kernel.exportBase();
  const load =
    (bytes: Uint8Array, enclave = node.enclave) =>
    () =>
      node.kernel.load({ ...node.params(), enclave: unhex(enclave) }, bytes, []);
  assert.throws(load(base.subarray(0, 100)));
  assert.throws(load(base.subarray(0, base.length - 8)));
  assert.throws(load(base, toHex(node.log.events[0]?.id ?? base) as never));
  for (const at of [0, 4, 6, 107, 109, 111, 350]) {
    const changed = base.slice();
    changed[at] = (changed[at] as number) ^ 0x40;
    assert.throws(load(changed), `byte ${at}`);
  }
  node.kernel.load(node.params(), base, []);
  assert.equal(toHex(node.kernel.exportBase()), toHex(base));
});

test('three batches can be staged before the first is sealed, with the same result', () => {
  const one = found(owner, groupManifest());
  const two = new TestNode(one.enclave);
  const commits = [1, 2, 3, 4, 5, 6].map(
    (n) => inspect(canonical(parseJson(utf8(JSON.stringify(one.sign(alice, 'Message', n))))?.value ?? null)).bytes,
  );
  two.log.append(one.log);
  two.kernel.replay(one.log.skeleton, one.log.content);
  const hashes: Uint8Array[] = [];
  for (const pair of [0, 2, 4]) {
    for (const each of [one, two]) {
      each.kernel.begin(one.now);
      for (const commit of commits.slice(pair, pair + 2)) assert.equal(each.kernel.stage(commit, 0), 0);
    }
    one.finish();
    hashes.push(two.kernel.end().slice());
  }
  assert.throws(() => two.kernel.exportBase());
  for (const batch of hashes) two.log.append(two.kernel.seal(signatures(one, batch)));
  one.close();
  two.close();
  assert.equal(toHex(two.log.skeleton), toHex(one.log.skeleton));
  assertSame(one.kernel, two.kernel);
});

function signatures(node: TestNode, hashes: Uint8Array): Uint8Array {
  const sig = new Uint8Array(64);
  return concat(
    ...Array.from({ length: hashes.length / 32 }, (_, i) => {
      node.host.signSeq(hashes.subarray(32 * i, 32 * i + 32), sig);
      return sig.slice();
    }),
  );
}

/** The event's commit as a snapshot has it, inspected. */
function commitOf(node: TestNode, seq: number, erased: boolean): Uint8Array {
  const { record, body } = node.event(seq);
  const shown = record.slice();
  if (erased) shown[5] = (shown[5] as number) | IC_ERASED;
  const event = parseJson(utf8(eventOf(unhex(node.enclave), shown, body)))?.value as ReadonlyMap<string, never>;
  const commit = new Map(
    [...event].filter(([key]) => !['timestamp', 'sequencer', 'seq', 'seq_sig', 'id'].includes(key)),
  );
  return inspect(canonical(commit), 'snapshot').bytes;
}

function foldAll(into: TestNode, from: TestNode, isErased: (seq: number) => boolean): void {
  const { kernel } = into;
  const genesis = [...splitRecords(from.log.skeleton)][1] as Uint8Array;
  for (const record of splitRecords(from.log.skeleton)) {
    if (recordKind(record) === RECORD_EVENT) {
      const { seq, timestamp, sequencer, seqSig, type, target } = readEventRecord(record);
      const extra =
        seq === 0 ? readClosingRecord(genesis).sthSig : type === 'Update' && isErased(seq) ? target : undefined;
      assert.equal(
        kernel.fold(commitOf(from, seq, isErased(seq)), timestamp, sequencer, seqSig, extra),
        0,
        `seq ${seq}`,
      );
    } else if (record !== genesis && !readClosingRecord(record).genesis) {
      const { t, sthSig } = readClosingRecord(record);
      assert.equal(kernel.foldClosing(t, sthSig), 0);
    }
  }
}

function withoutFlags(batch: SealedBatch): Uint8Array {
  return concat(
    ...[...splitRecords(batch.skeleton)].map((record) => {
      const copy = record.slice();
      if (recordKind(copy) === RECORD_EVENT) copy[5] = (copy[5] as number) & ~IC_ERASED;
      return copy;
    }),
  );
}

/** A tree head's time and signature are kept as they are: only the signature itself binds them. */
function inTreeHead(record: Uint8Array, at: number): boolean {
  return recordKind(record) !== RECORD_EVENT && ((at >= 32 && at < 40) || (at >= 168 && at < 232));
}

test('a log that is read in one go finds its own events as targets', () => {
  const node = found(owner, groupManifest());
  node.send(alice, 'Message', 1);
  node.send(alice, 'Delete', { target: toHex(node.event(1).id) });
  node.close();
  const kernel = createReferenceKernel({ ...node.host, eventMeta: (id, out) => new MemoryLog().meta(id, out) });
  kernel.create(node.params());
  kernel.replay(node.log.skeleton, node.log.content);
  assertSame(node.kernel, kernel);
});
