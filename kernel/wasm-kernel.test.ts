import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../protocol/bytes.ts';
import { errorNumber } from '../protocol/errors.ts';
import { commitHash, contentHash, enclaveId, sha256 } from '../protocol/hash.ts';
import { toHex } from '../protocol/hex.ts';
import { canonical, toJson } from '../protocol/json.ts';
import { readEventRecord } from '../protocol/records.ts';
import { ACCEPTED, DUPLICATE, type Kernel, type KernelHost, STAGE_VERIFIED } from './kernel.ts';
import { createReferenceKernel } from './reference/kernel.ts';
import { createWasmInspector } from './wasm-inspector.ts';
import { type WasmImports, type WasmInstance, WasmInstances } from './wasm-instances.ts';
import { createWasmKernel, kernelOf } from './wasm-kernel.ts';
import { loadWasmModule } from './wasm-module.ts';

const module = await loadWasmModule();
const inspector = createWasmInspector(module, { maxCommit: 1 << 20, maxArray: 1000 });
const person = (name: string): Uint8Array => sha256(utf8(`person ${name}`));
const owner = person('owner');
const member = person('member');
const sequencer = person('sequencer');
const SIG = 'a5'.repeat(64);

/** A host that has checked every signature, and signs tree heads with a constant. Event hashes: as `events` says. */
class Host implements KernelHost {
  /** what signSeq answers for event hashes: 1 deferred, 0 signed at once, −1 refused */
  events = 1;
  sealing = false;

  signSeq(_hash: Uint8Array, sig: Uint8Array): number {
    if (!this.sealing && this.events !== 0) return this.events;
    sig.fill(this.sealing ? 0x77 : 0x55);
    return 0;
  }

  verify(): boolean {
    return true;
  }

  eventMeta(): number {
    return 0;
  }
}

/** An enclave on one kernel, without keys: what counts here is the kernel, not the signatures. */
class Enclave {
  readonly host = new Host();
  readonly kernel: Kernel;
  readonly manifest: unknown;
  readonly id: Uint8Array;
  now = 1_700_000_000_000;

  constructor(make: (host: KernelHost) => Kernel, more: Record<string, unknown> = {}) {
    this.manifest = {
      enc_v: 2,
      bundle: { size: 16, timeout: 5000 },
      RBAC: {
        states: ['MEMBER'],
        traits: ['root(0)', 'mod(5)'],
        readers: [{ type: 'MEMBER', reads: '*' }],
        moves: [
          { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'root', ops: ['C'] },
          { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'root', ops: ['C'] },
        ],
        grants: [{ event: 'Grant', operator: ['root'], scope: ['MEMBER'], trait: ['mod'] }],
        slots: [{ event: 'Shared', operator: 'MEMBER', ops: ['C', 'U', 'D'], key: '*' }],
        customs: [{ event: 'Message', operator: 'MEMBER', ops: ['C'] }],
        init: [
          { identity: toHex(owner), state: 'MEMBER', traits: ['root'] },
          { identity: toHex(member), state: 'MEMBER', traits: [] },
        ],
      },
      ...more,
    };
    this.id = enclaveId(owner, contentHash(toJson(this.manifest)), []);
    this.kernel = make(this.host);
    this.create();
  }

  create(): void {
    this.kernel.create({ enclave: this.id, lane: 0, sequencer, expWindow: 600_000 });
  }

  /** The IC of a commit. */
  commit(from: Uint8Array, type: string, content: unknown, exp = this.now + 1000): Uint8Array {
    const json = toJson(content);
    const hash = commitHash({ enclave: this.id, from, type, contentHash: contentHash(json), exp, tags: [] });
    const fields = { enclave: toHex(this.id), exp, from: toHex(from), hash: toHex(hash), sig: SIG, type };
    return inspector.inspect(utf8(canonical(toJson({ ...fields, content: json }))), 'post').bytes;
  }

  stage(from: Uint8Array, type: string, content: unknown, exp?: number): number {
    return this.kernel.stage(this.commit(from, type, content, exp), STAGE_VERIFIED);
  }

  finish() {
    return this.seal(this.kernel.end().length / 32);
  }

  seal(events: number) {
    this.host.sealing = true;
    const batch = this.kernel.seal(new Uint8Array(64 * events).fill(0x33));
    this.host.sealing = false;
    return batch;
  }

  send(from: Uint8Array, type: string, content: unknown, exp?: number): number {
    this.kernel.begin(this.now);
    const code = this.stage(from, type, content, exp);
    this.finish();
    return code;
  }

  found(): this {
    assert.equal(this.send(owner, 'Manifest', this.manifest), ACCEPTED);
    return this;
  }
}

const wasm = (host: KernelHost): Kernel => createWasmKernel(module, host);

test('calls out of order throw, and a fourth batch waits for the first to be sealed', () => {
  const enclave = new Enclave(wasm);
  const { kernel } = enclave;
  assert.throws(() => kernel.stage(enclave.commit(owner, 'Manifest', {}), 0));
  assert.throws(() => kernel.closeBundle());
  assert.throws(() => kernel.end());
  assert.throws(() => kernel.seal(new Uint8Array(0)));
  assert.throws(() => kernel.exportBase());
  assert.throws(() => kernel.create({ enclave: enclave.id, lane: 1, expWindow: 1 }));
  enclave.found();
  for (let i = 0; i < 3; i++) {
    kernel.begin(enclave.now);
    assert.throws(() => kernel.begin(enclave.now));
    assert.equal(enclave.stage(member, 'Message', i), ACCEPTED);
    assert.equal(kernel.end().length, 32);
  }
  assert.throws(() => kernel.begin(enclave.now));
  assert.throws(() => kernel.fold(enclave.commit(member, 'Message', 'x'), enclave.now, sequencer, new Uint8Array(64)));
  assert.deepEqual(
    [1, 2, 3].map(() => enclave.seal(1).firstSeq),
    [1, 2, 3],
  );
  assert.equal(kernel.head().seq, 3);
});

test('an event that the host refuses to sign is unavailable and leaves no trace', () => {
  const enclave = new Enclave(wasm);
  enclave.host.events = -1;
  assert.equal(enclave.send(owner, 'Manifest', enclave.manifest), errorNumber('unavailable'));
  assert.equal(enclave.kernel.leaves, 0);
  enclave.host.events = 1;
  enclave.found();
  const { kernel, host } = enclave;
  const refused: readonly [string, unknown][] = [
    ['Move', { target: toHex(person('new')), from: 'OUTSIDER', to: 'MEMBER' }],
    ['Shared', { key: 'k', value: 1 }],
    ['Pause', {}],
    ['Terminate', {}],
    ['Message', 'hello'],
  ];
  for (const [type, content] of refused) {
    const before = toHex(kernel.stateHash());
    host.events = -1;
    assert.equal(enclave.send(owner, type, content), errorNumber('unavailable'), type);
    assert.equal(toHex(kernel.stateHash()), before, type);
    assert.equal(kernel.status, 'active');
    assert.equal(kernel.head().seq, 0);
    host.events = 1;
  }
  assert.equal(enclave.send(owner, 'Message', 'hello'), ACCEPTED);
  assert.equal(kernel.seq, 1);
});

test('a signature that the host gives at once is the one that is kept', () => {
  const enclave = new Enclave(wasm).found();
  const { kernel, host } = enclave;
  kernel.begin(enclave.now);
  host.events = 0;
  assert.equal(enclave.stage(member, 'Message', 1), ACCEPTED);
  host.events = 1;
  assert.equal(enclave.stage(member, 'Message', 2), ACCEPTED);
  const { skeleton } = enclave.finish();
  const first = readEventRecord(skeleton);
  const second = readEventRecord(skeleton.subarray(new DataView(skeleton.buffer).getUint32(0, true)));
  assert.deepEqual([first.seqSig[0], second.seqSig[0]], [0x55, 0x33]);
});

test('an AC_Bundle that fails in its last op takes back what the others did, again and again', () => {
  const enclave = new Enclave(wasm).found();
  const { kernel } = enclave;
  const before = toHex(kernel.stateHash());
  kernel.begin(enclave.now);
  for (let round = 0; round < 200; round++) {
    const join = (i: number) => ({ target: toHex(person(`${round} ${i}`)), from: 'OUTSIDER', to: 'MEMBER' });
    const ops = Array.from({ length: 63 }, (_, i) => ({ type: 'Move', content: join(i) }));
    const code = enclave.stage(owner, 'AC_Bundle', { ops: [...ops, { type: 'Move', content: join(0) }] });
    assert.equal(code, errorNumber('state_mismatch'));
    assert.equal(kernel.detail, '"op":63');
  }
  assert.equal(kernel.leaves, 2);
  assert.equal(toHex(kernel.stateHash()), before);
  assert.ok(kernel.memory <= 512 * 1024, `${kernel.memory} bytes`);
});

test('every unexpired commit is known while the table of hashes grows and forgets', () => {
  const enclave = new Enclave(wasm).found();
  const { kernel } = enclave;
  const commits: { ic: Uint8Array; exp: number; seq: number }[] = [];
  for (let batch = 0; batch < 40; batch++) {
    enclave.now += 1000;
    kernel.begin(enclave.now);
    for (let i = 0; i < 100; i++) {
      const exp = enclave.now + 1 + ((i * 997) % 20_000);
      const ic = enclave.commit(member, 'Message', [batch, i], exp);
      assert.equal(kernel.stage(ic, STAGE_VERIFIED), ACCEPTED);
      commits.push({ ic, exp, seq: kernel.seq });
    }
    for (const { ic, exp, seq } of commits.filter((_, i) => i % 7 === batch % 7)) {
      assert.equal(kernel.stage(ic, STAGE_VERIFIED), exp <= enclave.now ? errorNumber('expired') : DUPLICATE);
      if (exp > enclave.now) assert.equal(kernel.seq, seq);
    }
    enclave.finish();
  }
  const live = commits.filter(({ exp }) => exp > enclave.now);
  const rows = kernel.exportRecents(0);
  const seqs = Array.from({ length: rows.length / 48 }, (_, i) =>
    Number(new DataView(rows.buffer, 48 * i).getBigUint64(40, true)),
  );
  assert.deepEqual(
    seqs,
    live.map(({ seq }) => seq),
  );
  assert.deepEqual(kernel.exportRecents(0), rows, 'asked again');
  const half = seqs[seqs.length >> 1] as number;
  assert.deepEqual(kernel.exportRecents(half), rows.subarray(48 * (seqs.length >> 1)));
  enclave.send(member, 'Message', 'last');
  assert.equal(kernel.exportRecents(half).length, rows.length - 48 * (seqs.length >> 1) + 48);
  assert.equal(kernel.exportRecents(kernel.seq).length, 48);
});

test('memory follows the state, not the traffic', () => {
  const enclave = new Enclave(wasm).found();
  const { kernel } = enclave;
  const run = (commits: number): number => {
    for (let i = 0; i < commits; i += 50) {
      enclave.now += 500;
      kernel.begin(enclave.now);
      for (let j = 0; j < 50; j++) {
        const key = `slot ${j % 5}`;
        const [type, content] = j % 10 === 0 ? ['Shared', { key, value: i + j }] : ['Message', { i, j }];
        assert.equal(enclave.stage(member, type as string, content, enclave.now + 5000), ACCEPTED);
      }
      enclave.finish();
    }
    return kernel.memory;
  };
  const warm = run(8000);
  assert.equal(run(8000), warm);
  assert.ok(warm <= 1024 * 1024, `${warm} bytes`);
});

test('a created kernel can be created again, for another enclave too', () => {
  const enclave = new Enclave(wasm).found();
  enclave.send(member, 'Message', 'hello');
  enclave.create();
  assert.deepEqual([enclave.kernel.head().seq, enclave.kernel.leaves, enclave.kernel.timestamp], [-1, 0, -1]);
  enclave.found();
  assert.equal(enclave.kernel.head().seq, 0);
});

test('thousands of leaves come back from a base, and go on as they would have', () => {
  const init = Array.from({ length: 4000 }, (_, i) => ({
    identity: toHex(i === 0 ? owner : person(`member ${i}`)),
    state: 'MEMBER',
    traits: i === 0 ? ['root'] : [],
  }));
  const { RBAC, ...rest } = new Enclave(wasm).manifest as { RBAC: Record<string, unknown> };
  const enclave = new Enclave(wasm, { ...rest, RBAC: { ...RBAC, init } }).found();
  const close = (kernel: Kernel): void => {
    kernel.begin(enclave.now);
    assert.ok(kernel.closeBundle());
    kernel.end();
    enclave.host.sealing = true;
    kernel.seal(new Uint8Array(0));
    enclave.host.sealing = false;
  };
  close(enclave.kernel);
  const base = enclave.kernel.exportBase();
  const params = { enclave: enclave.id, lane: 0, sequencer, expWindow: 600_000 };
  const loaded = wasm(enclave.host);
  loaded.load(params, base, [enclave.kernel.exportRecents(0)]);
  assert.equal(toHex(loaded.stateHash()), toHex(enclave.kernel.stateHash()));
  const reference = createReferenceKernel(enclave.host);
  reference.load(params, base, []);
  assert.equal(toHex(reference.stateHash()), toHex(loaded.stateHash()));
  for (const kernel of [enclave.kernel, loaded, reference]) {
    kernel.begin(enclave.now);
    const leave = { target: toHex(person('member 7')), from: 'MEMBER', to: 'OUTSIDER' };
    assert.equal(kernel.stage(enclave.commit(owner, 'Move', leave), STAGE_VERIFIED), ACCEPTED);
    kernel.end();
    enclave.host.sealing = true;
    kernel.seal(new Uint8Array(64).fill(1));
    enclave.host.sealing = false;
    close(kernel);
  }
  assert.deepEqual(loaded.exportBase(), enclave.kernel.exportBase());
  assert.deepEqual(loaded.exportBase(), reference.exportBase());
  for (let at = 0; at < base.length; at += 1 + Math.floor(base.length / 97)) {
    const broken = base.slice();
    broken[at] = (broken[at] as number) ^ 0x40;
    const attempt = wasm(enclave.host);
    try {
      attempt.load(params, broken, []);
      assert.deepEqual(attempt.exportBase(), broken, `byte ${at}`);
    } catch (error) {
      assert.ok(error instanceof RangeError, `byte ${at}: ${error}`);
    }
  }
});

test('a stored log with changed bytes is refused, or changes nothing that was signed; it never traps', () => {
  let seed = 20_261_123;
  console.log(`seed ${seed}`);
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % n;
  };
  const enclave = new Enclave(wasm);
  const batches = [
    ['Manifest', enclave.manifest],
    ...Array.from({ length: 20 }, (_, i) => ['Message', { i, text: 'é"' }]),
    ['Shared', { key: 'k', value: null }],
    ['Move', { target: toHex(person('new')), from: 'OUTSIDER', to: 'MEMBER' }],
  ].map(([type, content]) => {
    enclave.kernel.begin(enclave.now);
    assert.equal(enclave.stage(owner, type as string, content), ACCEPTED);
    return enclave.finish();
  });
  const skeleton = Buffer.concat(batches.map((batch) => batch.skeleton));
  const content = Buffer.concat(batches.map((batch) => batch.content));
  const stand = (kernel: Kernel): string => toHex(kernel.stateHash()) + toHex(kernel.head().chain);
  const replayed = (records: Uint8Array, contents: Uint8Array): string => {
    const kernel = wasm(enclave.host);
    kernel.create({ enclave: enclave.id, lane: 0, sequencer, expWindow: 600_000 });
    kernel.replay(records, contents);
    return stand(kernel);
  };
  const expected = stand(enclave.kernel);
  assert.equal(replayed(skeleton, content), expected);
  for (let round = 0; round < 300; round++) {
    const records = Buffer.from(skeleton);
    const contents = Buffer.from(content);
    const [where, at] = round % 4 === 0 ? [contents, random(contents.length)] : [records, random(records.length)];
    where[at] = (where[at] as number) ^ (1 + random(255));
    const cut = round % 7 === 0 ? random(records.length) : records.length;
    try {
      const result = replayed(records.subarray(0, cut), contents);
      assert.equal(result, expected, `byte ${at} in round ${round}`);
    } catch (error) {
      assert.ok(!(error instanceof WebAssembly.RuntimeError), `byte ${at} in round ${round}: ${error}`);
      if (error instanceof assert.AssertionError) throw error;
    }
  }
});

test('an instance that served another enclave holds, after the same calls, the same bytes as a new one', () => {
  const life = (instances: WasmInstances): Enclave => {
    const enclave = new Enclave((host) => kernelOf(instances, host)).found();
    for (let i = 0; i < 40; i++) enclave.send(member, i % 3 ? 'Message' : 'Shared', { key: `k${i % 5}`, value: i });
    enclave.send(owner, 'Grant', { target: toHex(member), trait: 'mod' });
    enclave.send(member, 'Message', { refused: true }, 0);
    enclave.kernel.exportRecents(0);
    return enclave;
  };
  const [fresh, reused] = [new Recorded(module), new Recorded(module)];
  const other = new Enclave((host) => kernelOf(reused, host), { meta: 'another one' }).found();
  for (let i = 0; i < 100; i++) other.send(owner, 'Shared', { key: `another ${i}`, value: 'x'.repeat(i) });
  other.kernel.begin(other.now);
  other.stage(owner, 'Message', 'in the middle of a batch');
  other.kernel.dispose();
  const [a, b] = [life(fresh), life(reused)];
  assert.equal(reused.taken.length, 2);
  assert.equal(reused.taken[0], reused.taken[1], 'the instance was used again');
  assert.deepEqual(b.kernel.stateHash(), a.kernel.stateHash());
  assert.deepEqual(bytesOf(reused), bytesOf(fresh));
});

test('a kernel that was disposed of throws, and what it gave back serves nobody else twice', () => {
  const instances = new Recorded(module);
  const enclave = new Enclave((host) => kernelOf(instances, host)).found();
  const { kernel } = enclave;
  kernel.dispose();
  kernel.dispose();
  assert.throws(() => kernel.stateHash(), /disposed/);
  assert.throws(() => kernel.begin(enclave.now), /disposed/);
  assert.throws(() => enclave.create(), /disposed/);
  assert.equal(kernel.memory, 0);
  const [one, two] = [kernelOf(instances, new Host()), kernelOf(instances, new Host())];
  assert.notEqual(instances.taken[1], instances.taken[2]);
  one.dispose();
  two.dispose();
});

test('an instance that has grown is not used again', () => {
  const instances = new Recorded(module);
  const enclave = new Enclave((host) => kernelOf(instances, host)).found();
  const { memory } = enclave.kernel;
  for (let i = 0; enclave.kernel.memory === memory; i++) enclave.send(owner, 'Shared', { key: `k${i}`, value: i });
  enclave.kernel.dispose();
  kernelOf(instances, new Host()).dispose();
  assert.notEqual(instances.taken[1], instances.taken[0]);
});

/** Remembers what it gave out. */
class Recorded extends WasmInstances {
  readonly taken: WasmInstance[] = [];

  override take(imports: WasmImports): WasmInstance {
    const instance = super.take(imports);
    this.taken.push(instance);
    return instance;
  }
}

const bytesOf = (instances: Recorded): Buffer => Buffer.from(instances.taken.at(-1)?.memory.bytes ?? []);
