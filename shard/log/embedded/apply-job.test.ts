import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { seeded } from '../../crypto/seeded.test-util.ts';
import { readInt } from '../bytes.ts';
import { prefixOf } from '../row-keys.ts';
import { applyJob } from './apply-job.ts';
import { decodeEntry } from './entry-row.ts';
import { LogWriter } from './log-writer.ts';
import { type LmdbStore, openStore } from './store.ts';
import {
  type Applied,
  type ApplyJob,
  CODE_FENCED,
  CODE_OK,
  type FromWriter,
  packAppend,
  packedSize,
} from './writer-messages.ts';

const made: string[] = [];
after(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

/** A writer, the jobs that it hands over, and what must be stored: each step of the two threads is one call. */
class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'enc-apply-'));
  readonly store: LmdbStore;
  readonly enclave = new SampleEnclave('apply');
  readonly voided = new Int32Array(new SharedArrayBuffer(4));
  readonly prefix: Buffer;
  writer: LogWriter;
  job: ApplyJob | null = null;
  applied: Applied | null = null;
  epoch = { counter: 0, nonce: new Uint8Array(16) };
  /** by number: the value of the index row that the operation puts, and its code once that is known */
  readonly later = new Map<number, { readonly value: number; code: number | null }>();

  constructor() {
    made.push(this.folder);
    this.writer = this.#start();
    this.store = openStore(this.folder);
    this.prefix = prefixOf(this.enclave.key);
  }

  /** As after kill -9: whatever was only in memory is gone. */
  crash(): void {
    this.writer = this.#start();
    this.voided[0] = 0;
    for (const op of this.later.values()) op.code ??= -1;
    this.applied = null;
  }

  open(): void {
    const nonce = new Uint8Array(16).fill(this.epoch.counter + 1);
    const op = { kind: 'open', prefix: this.prefix, nonce, recovering: false } as const;
    const said = this.writer.write({ kind: 'group', packed: new ArrayBuffer(0), appends: 0, ops: [op] });
    assert.deepEqual(codesOf(said), [CODE_OK]);
    this.#hear(said);
    this.epoch = { counter: this.epoch.counter + 1, nonce };
  }

  append(): void {
    const one = {
      key: this.enclave.key,
      epoch: this.epoch,
      ...this.enclave.batch([{ content: `"${this.enclave.head.seq + 1}"` }]),
      timestamp: this.enclave.timestamp,
      dueAt: this.enclave.head.seq % 3 === 0 ? this.enclave.timestamp + 5 : 0,
      deletes: [],
      done: () => {},
    };
    const packed = new ArrayBuffer(packedSize(one));
    packAppend(one, Buffer.from(packed), 0);
    const said = this.writer.write({ kind: 'group', packed, appends: 1, ops: [] });
    assert.deepEqual(codesOf(said), [CODE_OK]);
    this.#hear(said);
  }

  index(): void {
    const number = this.later.size + 1;
    this.later.set(number, { value: number, code: null });
    const put = [{ key: indexKey(number), value: Buffer.from([number & 255, number >> 8]) }];
    const lastSeq = this.enclave.head.seq;
    const op = { kind: 'index', prefix: this.prefix, generation: 0, lastSeq, put } as const;
    this.#hear(this.writer.later({ kind: 'later', number, op }));
  }

  handOver(): void {
    this.job = this.writer.handOver() ?? this.job;
  }

  /** The other thread takes the job, whatever has become of it meanwhile. */
  run(): void {
    if (this.job === null) return;
    this.applied = applyJob(this.store, this.voided, this.job);
    this.job = null;
  }

  tell(): void {
    if (this.applied !== null) this.#hear(this.writer.handedBack(this.applied));
    this.applied = null;
  }

  apply(): void {
    this.#hear(this.writer.apply());
  }

  /** LMDB has all that was answered, once nothing waits any more. */
  check(): void {
    this.apply();
    this.store.root.resetReadTxn();
    const head = this.store.heads.getBinary(this.prefix);
    assert.equal(head && readInt(head, 32), this.enclave.head.seq);
    assert.equal(head && readInt(head, 8), this.epoch.counter);
    let events = 0;
    for (const { key, value } of this.store.entries.getRange({})) events += decodeEntry(value, key).events;
    assert.equal(events, this.enclave.head.seq + 1);
    const due = [...this.store.due.getKeys({})].length;
    assert.equal(due, head && readInt(head, 120) > 0 ? 1 : 0);
    for (const [number, { value, code }] of this.later)
      if (code === CODE_OK) assert.equal(this.store.index.getBinary(indexKey(number))?.readUInt16LE(0), value);
  }

  #start(): LogWriter {
    return new LogWriter(this.folder, { voided: this.voided });
  }

  #hear(said: readonly FromWriter[]): void {
    for (const message of said) {
      assert.notEqual(message.kind, 'failed');
      if (message.kind !== 'later') continue;
      for (const [i, number] of message.numbers.entries()) {
        const op = this.later.get(number);
        assert.equal(op?.code, null, 'an operation is answered for once');
        (op as { code: number | null }).code = message.codes[i] as number;
      }
    }
  }
}

const indexKey = (number: number): Buffer => Buffer.from(`index/${String(number).padStart(6, '0')}`);

const codesOf = (said: readonly FromWriter[]): number[] | null => {
  const done = said.find((message) => message.kind === 'done');
  return done?.kind === 'done' ? [...done.codes] : null;
};

const laterOf = (said: readonly FromWriter[]): [number, number | undefined][] =>
  said.flatMap((message) =>
    message.kind === 'later'
      ? message.numbers.map((number, i): [number, number | undefined] => [number, message.codes[i]])
      : [],
  );

test('a job that a transaction of the writer has overtaken puts no older rows over its newer ones', () => {
  const bench = new Bench();
  bench.open();
  bench.append();
  bench.index();
  bench.handOver();
  assert.ok(bench.job);
  bench.append();
  bench.open(); // voids the job, and does its work
  bench.append();
  bench.run();
  assert.equal(bench.applied?.result, 'void');
  bench.tell();
  assert.equal(bench.later.get(1)?.code, CODE_OK);
  bench.check();
});

test('a job that is done but not told of may be repeated by the writer', () => {
  const bench = new Bench();
  bench.open();
  bench.append();
  bench.index();
  bench.handOver();
  bench.run();
  assert.equal(bench.applied?.result, 'done');
  bench.append();
  bench.open();
  bench.tell();
  bench.append();
  bench.check();
});

test('a job of a writer that has died changes nothing in the folder of the next', () => {
  const bench = new Bench();
  bench.open();
  bench.append();
  bench.handOver();
  bench.crash();
  bench.append();
  bench.run();
  assert.equal(bench.applied?.result, 'lost');
  bench.applied = null;
  bench.check();
});

test('operations of a writer whose folder was taken over are answered, those that waited too', () => {
  const bench = new Bench();
  bench.open();
  bench.append();
  bench.index();
  const first = bench.writer;
  bench.crash();
  const op = { kind: 'open', prefix: bench.prefix, nonce: new Uint8Array(16), recovering: false } as const;
  const said = first.write({ kind: 'group', packed: new ArrayBuffer(0), appends: 0, ops: [op] });
  assert.deepEqual(codesOf(said), [CODE_FENCED]);
  assert.deepEqual(laterOf(said), [[1, CODE_FENCED]]);
  const index = { kind: 'index', prefix: bench.prefix, generation: 0, lastSeq: 0, put: [] } as const;
  assert.deepEqual(laterOf(first.later({ kind: 'later', number: 2, op: index })), [[2, CODE_FENCED]]);
});

test('rows of a job that failed are in the next one', () => {
  const bench = new Bench();
  bench.open();
  bench.append();
  bench.handOver();
  const failed = bench.job as ApplyJob;
  bench.job = null;
  bench.append();
  const said = bench.writer.handedBack({ number: failed.number, result: 'failed', error: 'full', fatal: false });
  assert.deepEqual(
    said.map(({ kind }) => kind),
    ['failed'],
  );
  bench.handOver();
  assert.ok((bench.job as ApplyJob | null)?.rows.length);
  bench.run();
  bench.tell();
  assert.equal(bench.writer.waiting, 'none');
  bench.check();
});

test('whatever order the two threads take their steps in, and whenever they die, all that was answered is there', (t) => {
  const seed = Number(process.env['SEED'] ?? 4713);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  const int = (below: number): number => Buffer.from(random.bytes(4)).readUInt32LE(0) % below;
  const bench = new Bench();
  bench.open();
  const steps = ['append', 'append', 'append', 'index', 'handOver', 'handOver', 'run', 'tell', 'tell'] as const;
  let voids = 0;
  for (let i = 0; i < 3000; i++) {
    const pick = int(120);
    if (pick === 0) bench.crash();
    else if (pick < 4) bench.open();
    else if (pick < 6) bench.apply();
    else if (pick < 8) bench.check();
    else bench[steps[int(steps.length)] as (typeof steps)[number]]();
    if (bench.applied?.result === 'void') voids++;
  }
  bench.check();
  assert.ok(voids > 0, 'no job was ever overtaken');
});
