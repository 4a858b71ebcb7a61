import { type Kernel, STAGE_VERIFIED } from '../kernel/kernel.ts';
import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../kernel/wasm-kernel.ts';
import { loadWasmModule } from '../kernel/wasm-module.ts';
import { unhex } from '../protocol/hex.ts';
import { MAX_ARRAY, MAX_COMMIT_BYTES } from '../protocol/limits.ts';
import { calibrate } from './calibrate.ts';
import { type Author, Corpus } from './corpus.ts';
import { type BenchOptions, scaled } from './options.ts';
import type { BenchResult } from './result.ts';

const MEMBERS = 1000;
const BATCH = 64;
const START = 1_700_000_000_000;
const WINDOW = 600_000;

/**
 * inspect + stage + seal of one commit in the WASM kernel, 200 bytes of content, an enclave of 1,000 members: custom
 * events, and Own slots, each of which moves a leaf of the state tree. Signatures are given, not made. Then many
 * commits through one instance, to see that its memory does not grow.
 */
export async function benchKernel(options: BenchOptions): Promise<BenchResult[]> {
  const many = scaled(options, 1_000_000, 10_000);
  const before = calibrate().c;
  const results: BenchResult[] = [];
  for (const kind of ['note', 'Own'] as const) {
    const run = await prepare(kind, 20_000);
    run.pass(20_000);
    const again = await prepare(kind, 40_000);
    const used = again.pass(40_000);
    results.push({
      name: `kernel-${kind.toLowerCase()}`,
      what: `inspect + stage + seal, ${kind === 'note' ? 'custom events' : 'Own slots (state tree)'}`,
      cost_us: used,
      rate: 1e6 / used,
    });
  }
  const c = (before + calibrate().c) / 2;
  const flat = await memoryOverTraffic(many);
  return [
    ...results.map((r) => ({
      ...r,
      c_us: c,
      share_of_c: (r.cost_us as number) / c,
      must: '≤ 0.12 c',
      met: (r.cost_us as number) <= 0.12 * c,
    })),
    {
      name: 'kernel-memory',
      what: `${many} commits through one instance, unexpired for one second`,
      ...flat,
      commits: many,
      must: 'flat',
      met: flat.memory_end === flat.memory_early,
    },
  ];
}

interface Prepared {
  readonly kernel: Kernel;
  /** µs of CPU per commit */
  pass(count: number): number;
}

async function prepare(kind: 'note' | 'Own', count: number): Promise<Prepared> {
  const { corpus, kernel, enclave, members, inspector } = await enclaveOfMembers();
  const text = 'enclave '.repeat(22);
  const bodies = Array.from({ length: count }, (_, i) => {
    const content = kind === 'note' ? `{"n":${i},"text":"${text}"}` : `{"key":"k${i % 7}","value":"${text}${i}"}`;
    return Buffer.from(
      corpus.commit(members[i % MEMBERS] as Author, enclave, { type: kind, content, exp: START + WINDOW - 1000 }),
    );
  });
  const signatures = new Uint8Array(BATCH * 64).fill(7);
  return {
    kernel,
    pass(n) {
      const cpu = process.cpuUsage();
      for (let at = 0; at < n; at += BATCH) {
        kernel.begin(START + at / 100);
        const end = Math.min(at + BATCH, n);
        for (let i = at; i < end; i++) {
          const { bytes } = inspector.inspect(bodies[i] as Buffer, 'post');
          const code = kernel.stage(bytes, STAGE_VERIFIED);
          if (code !== 0) throw new Error(`commit ${i} was refused with ${code}`);
        }
        const hashes = kernel.end();
        kernel.seal(signatures.subarray(0, hashes.length * 2));
      }
      const used = process.cpuUsage(cpu);
      return (used.user + used.system) / n;
    },
  };
}

/** The same few thousand bodies again and again, each time with a new exp: hashes expire as time goes on. */
async function memoryOverTraffic(many: number): Promise<{ memory_early: number; memory_end: number }> {
  const { corpus, kernel, enclave, members, inspector } = await enclaveOfMembers();
  const signatures = new Uint8Array(BATCH * 64).fill(7);
  let early = 0;
  for (let at = 0; at < many; at += BATCH) {
    const now = START + at;
    kernel.begin(now);
    for (let i = at; i < at + BATCH; i++) {
      const commit = corpus.unsigned(members[i % MEMBERS] as Author, enclave, {
        type: 'note',
        content: `{"n":${i}}`,
        exp: now + 1000,
      });
      const code = kernel.stage(inspector.inspect(commit, 'post').bytes, STAGE_VERIFIED);
      if (code !== 0) throw new Error(`commit ${i} was refused with ${code}`);
    }
    const hashes = kernel.end();
    kernel.seal(signatures.subarray(0, hashes.length * 2));
    if (at < many / 10) early = kernel.memory;
  }
  return { memory_early: early, memory_end: kernel.memory };
}

async function enclaveOfMembers() {
  const module = await loadWasmModule();
  const corpus = await Corpus.open();
  const inspector = createWasmInspector(module, { maxCommit: MAX_COMMIT_BYTES, maxArray: MAX_ARRAY });
  const members = Array.from({ length: MEMBERS }, (_, i) => corpus.author(i + 1));
  const { enclave, text } = corpus.manifest(corpus.author(0), members, 'kernel', START + 1000);
  const kernel = createWasmKernel(module, {
    signSeq: (_hash, sig) => {
      if (sealing) sig.fill(7);
      return sealing ? 0 : 1;
    },
    verify: () => true,
    eventMeta: () => 0,
  });
  let sealing = false;
  const seal = kernel.seal.bind(kernel);
  kernel.seal = (signatures) => {
    sealing = true;
    const sealed = seal(signatures);
    sealing = false;
    return sealed;
  };
  kernel.create({
    enclave: unhex(enclave),
    lane: 0,
    sequencer: corpus.secp.publicKey(Buffer.alloc(32, 3)) as Uint8Array,
    expWindow: WINDOW,
  });
  kernel.begin(START);
  const code = kernel.stage(inspector.inspect(Buffer.from(text), 'post').bytes, STAGE_VERIFIED);
  if (code !== 0) throw new Error(`the Manifest was refused with ${code}: ${kernel.detail}`);
  kernel.end();
  kernel.seal(new Uint8Array(64).fill(7));
  return { corpus, kernel, enclave, members, inspector };
}
