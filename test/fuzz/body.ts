import type { Inspector } from '../../kernel/kernel.ts';
import { canon } from '../parity/pair.ts';
import { Random } from '../parity/random.ts';
import { reference, wasm } from '../parity/runtimes.ts';
import { type Input, input } from './inputs.ts';
import { LIMITS, Scene } from './scene.ts';
import { Answers, Crash, type FuzzTarget, type Runner } from './target.ts';

/** Runs of one enclave's life. */
const LIFE = 5000;
/** Every so many lives the reference kernel lives along, for its first runs. */
const PAIRED_LIFE = 20;
const PAIRED_RUNS = 1000;
/** Every so many inputs are inspected by the reference too. */
const REFERENCE_EVERY = 64;

/** Request bodies through the inspector and into a live kernel: no HTTP, so that a million of them take minutes. */
export const body: FuzzTarget = {
  help: 'request bodies, mutated in structure and bytes, into inspector and a live kernel',
  stride: LIFE,
  async open(seed: number): Promise<Runner> {
    const runtime = await wasm();
    const inspector = runtime.inspector(LIMITS);
    const referee: Inspector = reference.inspector(LIMITS);
    const answers = new Answers();
    let scene: Scene | null = null;
    let memory = 0;
    const found = (run: number): Scene => {
      const paired = Math.floor(run / LIFE) % PAIRED_LIFE === 0 && run % LIFE < PAIRED_RUNS;
      const random = new Random(seed * 7_368_787 + run);
      return new Scene(random, paired ? [runtime, reference] : [runtime], [inspector, referee], answers);
    };
    return {
      answers,
      run(run) {
        if (run % LIFE === 0 || scene === null || scene.over) scene = found(run);
        if (run % LIFE === PAIRED_RUNS) scene.alone();
        const random = scene.random;
        scene.now += random.int(40);
        if (random.chance(0.0005)) scene.now += 700_000;
        if (random.chance(0.01)) scene.heads();
        const made: Input = input(scene);
        const enclave = made.path ? scene.enclave : undefined;
        if (run % REFERENCE_EVERY === 0) compareInspection(inspector, referee, made, enclave);
        scene.feed(made.body, made.mode, enclave);
        if (run % LIFE === LIFE - 1) memory = scene.kernel.memory;
      },
      memory: () => memory,
      close: async () => {},
    };
  },
};

function compareInspection(
  a: Inspector,
  b: Inspector,
  { body: bytes, mode }: Input,
  enclave: Uint8Array | undefined,
): void {
  const [one, two] = [a, b].map((inspector) => {
    const { kind, code, count, bytes: out } = inspector.inspect(bytes, mode, enclave);
    return canon({ kind, code, count, bytes: out });
  });
  if (one !== two)
    throw new Crash(`inspect ${mode} differs: wasm ${one?.slice(0, 400)}, reference ${two?.slice(0, 400)}`, bytes);
}
