import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex } from '../protocol/hex.ts';
import { inspectBody } from '../protocol/inspect.ts';
import { buildEventRecord } from '../protocol/records.ts';
import { body, hex, seeded } from './inspect-bodies.ts';
import type { Inspection, InspectMode } from './kernel.ts';
import { referenceInspector } from './reference/inspector.ts';
import { createWasmInspector } from './wasm-inspector.ts';
import { loadWasmModule } from './wasm-module.ts';

const LIMITS = { maxCommit: 1 << 20, maxArray: 1000 };
const MODES: readonly InspectMode[] = [
  'post',
  'post',
  'post',
  'post',
  'snapshot',
  'inclusion',
  'bundle',
  'state',
  'state-batch',
];
const module = await loadWasmModule();
const inspector = createWasmInspector(module, LIMITS);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

function compare(
  bytes: Uint8Array,
  mode: InspectMode,
  enclave?: Uint8Array,
  limits = LIMITS,
  of = inspector,
): Inspection {
  const mine = of.inspect(bytes, mode, enclave);
  const reference = inspectBody(bytes, mode, enclave, limits);
  const show = (i: Inspection): string => `${i.kind} ${i.code} ${i.count} ${toHex(i.bytes)}`;
  if (show(mine) !== show(reference))
    assert.equal(show(mine), show(reference), `${mode} ${new TextDecoder().decode(bytes)}`);
  return mine;
}

test('the module imports exactly the three functions of PROTOCOL §11', () => {
  const imports = WebAssembly.Module.imports(module).map(({ module: room, name, kind }) => `${room}.${name} ${kind}`);
  const allowed = ['host.host_event_meta function', 'host.host_sign_seq function', 'host.host_verify function'];
  assert.deepEqual(imports.sort(), allowed);
});

test('equal bytes from wasm and reference for any body', () => {
  const seed = Number(process.env.ENC_SEED ?? 1);
  const count = Number(process.env.ENC_RUNS ?? 6000);
  process.stdout.write(`seed ${seed}\n`);
  const r = seeded(seed);
  const enclave = hex(r, 32);
  const path = Uint8Array.from(Buffer.from(enclave, 'hex'));
  const seen = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const mode = MODES[r(MODES.length)] as InspectMode;
    const result = compare(body(r, enclave), mode, r(3) ? undefined : path);
    const inner = result.kind === 'error' || result.count === 0 ? result.code : (result.bytes[4] as number);
    const label = `${result.kind} ${inner}`;
    seen.set(label, (seen.get(label) ?? 0) + 1);
  }
  for (const label of [
    'error 1',
    'error 2',
    'commit 0',
    'commit 2',
    'array 0',
    'array 2',
    'request 0',
    'request 2',
    'request 4',
    'request 11',
  ]) {
    assert.ok((seen.get(label) ?? 0) > 5, `${label} was hardly reached: ${JSON.stringify([...seen])}`);
  }
});

test('bad text is invalid_json', () => {
  const texts = [
    '',
    ' ',
    '{',
    '[',
    '"',
    '[1,]',
    '01',
    '-0',
    '1.0',
    '1e3',
    '{"a":1,"\\u0061":2}',
    '"\\ud800"',
    '\ufeff{}',
    '{}x',
    '[]]',
    'nul',
    '{"a" 1}',
    '[1 2]',
  ];
  for (const text of texts) assert.deepEqual([text, compare(utf8(text), 'post').code], [text, 1]);
  for (const bytes of [
    [0xff],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x5b, 0x30, 0x5d, 0x00],
    [0x7b, 0x00, 0x7d],
  ]) {
    assert.equal(compare(Uint8Array.from(bytes), 'post').code, 1);
  }
});

test('the array wrapper is no level of nesting; level 33 is too deep', () => {
  const deep = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
  for (const mode of ['post', 'state'] as const) {
    assert.equal(compare(utf8(deep(33)), mode).code, mode === 'post' ? 0 : 2);
    assert.equal(compare(utf8(deep(34)), mode).code, 1);
    assert.equal(compare(utf8(`{"a":${deep(31)}}`), mode).code, mode === 'post' ? 2 : 0);
    assert.equal(compare(utf8(`{"a":${deep(32)}}`), mode).code, 1);
  }
});

test('limits refuse a commit alone and an array whole', () => {
  const limits = { maxCommit: 40, maxArray: 3 };
  const small = createWasmInspector(module, limits);
  const run = (text: string): Inspection => compare(utf8(text), 'post', undefined, limits, small);
  assert.equal(run(`{"exp":1,"content":"${'x'.repeat(40)}"}`).bytes[4], 30);
  const mixed = run(`[{"exp":1}, {"exp":1,"content":"${'x'.repeat(40)}"} ]`);
  assert.deepEqual([mixed.kind, mixed.count, mixed.bytes[4], mixed.bytes[20]], ['array', 2, 2, 30]);
  assert.deepEqual([run('[1,2,3,4]').kind, run('[1,2,3,4]').code, run('[1,2,3]').count], ['error', 30, 3]);
  assert.equal(run('[1,2,3,4').code, 1);
});

test('a content of 1 MiB is read whole, one of 100,000 keys is sorted, and both leave the instance usable', () => {
  const fields = `"hash":"${'0'.repeat(64)}","enclave":"${'1'.repeat(64)}","from":"${'2'.repeat(64)}","type":"Post","exp":9,"sig":"${'3'.repeat(128)}"`;
  const long = `{${fields},"content":"${'é😀x'.repeat(131_000)}"}`;
  assert.equal(compare(utf8(long), 'post').bytes[4], 0);
  const keys = (n: number): string => Array.from({ length: n }, (_, i) => `"${(i * 7919) % n}":0`).join();
  assert.equal(compare(utf8(`{${fields},"content":{${keys(30_000)}}}`), 'post').bytes[4], 0);
  assert.equal(inspector.inspect(utf8(`{${fields},"content":{${keys(100_000)}}}`), 'post').bytes[4], 0);
  assert.equal(inspector.inspect(utf8(`{${fields},"content":{${keys(100_000)},"77":0}}`), 'post').code, 1);
  assert.equal(compare(utf8(`{${fields},"content":null}`), 'post').bytes[4], 0);
});

test('a receipt is the same text from both, in every lane', () => {
  const r = seeded(7);
  const bytes = (n: number): Uint8Array => Uint8Array.from({ length: n }, () => r(256));
  for (let i = 0; i < 200; i++) {
    const seq = [0, 9, 10, 4294967296, Number.MAX_SAFE_INTEGER][r(5)] as number;
    const rest = {
      timestamp: r(2 ** 40),
      exp: seq,
      ctl: r(1000),
      lane: r(3),
      contentLength: r(100),
      flags: r(8),
      typeNumber: 0,
    };
    const keys = { id: bytes(32), hash: bytes(32), from: bytes(32), sig: bytes(64), seqSig: bytes(64) };
    const others = { contentHash: bytes(32), target: bytes(32), sequencer: bytes(32), type: 'Post', tags: '[["é"]]' };
    const record = buildEventRecord({ seq, ...rest, ...keys, ...others });
    const enclave = bytes(32);
    const text = (of: typeof inspector): string => new TextDecoder().decode(of.receipt(enclave, record));
    assert.equal(text(inspector), text(referenceInspector));
  }
});
