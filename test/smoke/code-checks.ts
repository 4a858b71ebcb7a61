import assert from 'node:assert/strict';
import type { Kernel, KernelHost, SealedBatch } from '../../kernel/kernel.ts';
import { createReferenceKernel } from '../../kernel/reference/kernel.ts';
import { createWasmInspector } from '../../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../../kernel/wasm-kernel.ts';
import { loadWasmModule } from '../../kernel/wasm-module.ts';
import { enclaveIdOf, signCommit } from '../../protocol/commit.ts';
import type { PublicKey } from '../../protocol/hex.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { jump } from '../../protocol/jump.ts';
import { EXP_WINDOW, MAX_ARRAY, MAX_COMMIT_BYTES } from '../../protocol/limits.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import type { Checks } from './checks.ts';

const SECRET = Buffer.alloc(32, 0x11);
const SEQUENCER = Buffer.alloc(32, 0x33);

/** The codec and both kernels on one small enclave. */
export async function smokeCode(checks: Checks): Promise<void> {
  const secp = openSecp256k1();
  await checks.check(`secp256k1 (${secp.name}) signs and verifies`, () => {
    const hash = Buffer.alloc(32, 5);
    const pub = secp.publicKey(SECRET) as Uint8Array;
    assert.equal(secp.verifySchnorr(pub, hash, secp.signSchnorr(SECRET, hash)), true);
    assert.equal(secp.verifySchnorr(pub, Buffer.alloc(32, 6), secp.signSchnorr(SECRET, hash)), false);
  });
  await checks.check('the sequencer key 33… has its known public half', () => {
    const known = '3c72addb4fdf09af94f0c94d7fe92a386a7e70cf8a1d85916386bb2535c7b1b1';
    assert.equal(toHex(secp.publicKey(SEQUENCER) as Uint8Array), known);
  });
  await checks.check('jump hash places as published', () => {
    assert.deepEqual([jump(1n, 1), jump(42n, 57), jump(0xdead10ccn, 666)], [0, 43, 361]);
  });
  const module = await loadWasmModule();
  await checks.check('the kernel imports exactly the three host calls', () => {
    const names = WebAssembly.Module.imports(module)
      .map(({ name }) => name)
      .sort();
    assert.deepEqual(names, ['host_event_meta', 'host_sign_seq', 'host_verify']);
  });
  await checks.check('both kernels make the same bytes of the same commits', () => {
    const inspector = createWasmInspector(module, { maxCommit: MAX_COMMIT_BYTES, maxArray: MAX_ARRAY });
    const host: KernelHost = {
      signSeq: (hash, sig) => {
        sig.set(secp.signSchnorr(SEQUENCER, hash));
        return 0;
      },
      verify: (_alg, pub, hash, sig) => secp.verifySchnorr(pub, hash, sig),
      eventMeta: () => 0,
    };
    const commits = someCommits(toHex(secp.publicKey(SECRET) as Uint8Array) as PublicKey);
    const ics = commits.map((commit) => inspector.inspect(Buffer.from(JSON.stringify(commit)), 'post').bytes);
    const run = (kernel: Kernel): SealedBatch & { state: string } => {
      kernel.create({
        enclave: unhex(commits[0]?.enclave as string),
        lane: 0,
        sequencer: secp.publicKey(SEQUENCER) as Uint8Array,
        expWindow: EXP_WINDOW,
      });
      kernel.begin(1_700_000_000_000);
      for (const ic of ics) assert.equal(kernel.stage(ic, 0), 0);
      const hashes = kernel.end();
      const signatures = new Uint8Array(hashes.length * 2);
      for (let i = 0; i * 32 < hashes.length; i++)
        signatures.set(secp.signSchnorr(SEQUENCER, hashes.slice(i * 32, i * 32 + 32)), i * 64);
      return { ...kernel.seal(signatures), state: toHex(kernel.stateHash()) };
    };
    const wasm = run(createWasmKernel(module, host));
    const reference = run(createReferenceKernel(host));
    assert.equal(wasm.events, 3);
    assert.deepEqual(
      [wasm.skeleton, wasm.content, wasm.receipts, wasm.state].map(String),
      [reference.skeleton, reference.content, reference.receipts, reference.state].map(String),
    );
  });
}

function someCommits(from: PublicKey) {
  const manifest = toJson({
    enc_v: 2,
    RBAC: {
      states: ['OWNER'],
      traits: ['admin(0)'],
      readers: [{ type: 'OWNER', reads: '*' }],
      customs: [{ event: 'note', operator: 'OWNER', ops: ['C'] }],
      init: [{ identity: from, state: 'OWNER', traits: ['admin'] }],
    },
  });
  const enclave = enclaveIdOf(from, manifest);
  const exp = 1_700_000_060_000;
  return [
    signCommit({ enclave, type: 'Manifest', content: manifest, exp }, SECRET),
    signCommit({ enclave, type: 'note', content: toJson({ text: 'one' }), exp }, SECRET),
    signCommit({ enclave, type: 'note', content: toJson({ text: 'two' }), exp }, SECRET),
  ].map((commit) => ({ ...commit, content: plain(commit.content) }));
}

const plain = (value: unknown): unknown =>
  value instanceof Map
    ? Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
    : Array.isArray(value)
      ? value.map(plain)
      : value;
