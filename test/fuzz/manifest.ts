import type { Kernel } from '../../kernel/kernel.ts';
import { errorOf } from '../../protocol/errors.ts';
import { commitHash, contentHash, enclaveId } from '../../protocol/hash.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Plain } from '../parity/commits.ts';
import { mutateJson } from '../parity/hostile.ts';
import { fullManifest, randomManifest } from '../parity/manifests.ts';
import { Random } from '../parity/random.ts';
import { codeOf } from '../parity/records.ts';
import { hex, identity, sign } from '../parity/ring.ts';
import { reference, wasm } from '../parity/runtimes.ts';
import { Store } from '../parity/store.ts';
import { LIMITS, PEOPLE } from './scene.ts';
import { Answers, Crash, type FuzzTarget, type Runner } from './target.ts';

const NOW = 1_700_000_000_000;
const SEQUENCER = identity('fuzz sequencer');

/** Manifests with something wrong in them, rightly signed: both kernels must name the same fault, at the same path. */
export const manifest: FuzzTarget = {
  help: 'signed Manifests, mutated, through both kernels: same verdict, same path, same state',
  stride: 1,
  async open(seed: number): Promise<Runner> {
    const runtimes = [await wasm(), reference];
    const inspector = (runtimes[0] as typeof reference).inspector(LIMITS);
    const answers = new Answers();
    const hosts = runtimes.map(() => new Store(SEQUENCER));
    const kernels = runtimes.map((runtime, i) => runtime.kernel(hosts[i] as Store)) as [Kernel, Kernel];
    return {
      answers,
      run(run) {
        const random = new Random(seed * 5_915_587 + run);
        let text = JSON.stringify(random.chance(0.4) ? fullManifest(PEOPLE) : randomManifest(random, PEOPLE));
        for (let i = random.pick([0, 1, 1, 1, 2, 3]); i > 0; i--) {
          const value = parseJson(new Uint8Array(Buffer.from(text)));
          if (value) text = mutateJson(JSON.parse(text) as Plain, random);
        }
        const from = random.pick(PEOPLE);
        const content = parseJson(new Uint8Array(Buffer.from(text)))?.value ?? null;
        const enclave = enclaveId(from.pub, contentHash(content), []);
        const exp = NOW + 1000;
        const hash = commitHash({
          enclave,
          from: from.pub,
          type: 'Manifest',
          contentHash: contentHash(content),
          exp,
          tags: [],
        });
        const body = new Uint8Array(
          Buffer.from(
            `{"hash":"${hex(hash)}","enclave":"${hex(enclave)}","from":"${from.hex}","type":"Manifest","content":${text},"exp":${exp},"sig":"${hex(sign(from, hash))}"}`,
          ),
        );
        try {
          const { kind, code, bytes } = inspector.inspect(body, 'post');
          if (kind === 'error') return answers.note(errorOf(code).code);
          if (codeOf(bytes) !== 0) return answers.note(errorOf(codeOf(bytes)).code);
          const ic = bytes.slice();
          const told = kernels.map((kernel) => {
            kernel.create({ enclave, lane: 0, sequencer: SEQUENCER.pub, expWindow: 600_000 });
            const empty = hex(kernel.stateHash());
            kernel.begin(NOW);
            const verdict = kernel.stage(ic, 0);
            const state = hex(kernel.stateHash());
            if (verdict !== 0 && state !== empty)
              throw new Error(`a refused Manifest changed the state of ${kernel.name}`);
            return `${verdict} ${verdict === 0 ? state : kernel.detail} ${kernel.leaves}`;
          });
          if (told[0] !== told[1]) throw new Error(`wasm says ${told[0]}, reference says ${told[1]}`);
          const verdict = Number.parseInt(told[0] as string, 10);
          if (verdict === 36) throw new Error('answered internal');
          answers.note(verdict === 0 ? 'ok' : errorOf(verdict).code);
        } catch (error) {
          throw new Crash('Manifest', body, error);
        }
      },
      memory: () => kernels[0].memory,
      close: async () => {},
    };
  },
};
