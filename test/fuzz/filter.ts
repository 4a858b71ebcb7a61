import { commitOf, type Plain } from '../parity/commits.ts';
import { mutateBytes, mutateJson } from '../parity/hostile.ts';
import { Random } from '../parity/random.ts';
import { reference, wasm } from '../parity/runtimes.ts';
import { draft, readRequest } from './inputs.ts';
import { LIMITS, Scene } from './scene.ts';
import { Answers, type FuzzTarget, type Runner } from './target.ts';

const STRIDE = 500;
const EVENTS = 40;

/** A scene of two kernels with some events in it. */
export async function pairedScenes(seed: number, answers: Answers): Promise<(run: number) => Scene> {
  const runtimes = [await wasm(), reference];
  const inspectors = runtimes.map((runtime) => runtime.inspector(LIMITS));
  return (run) => {
    const scene = new Scene(new Random(seed * 6_700_417 + run), runtimes, inspectors, answers);
    for (let i = 0; i < EVENTS * 4 && scene.store.events.length < EVENTS && !scene.over; i++) {
      scene.feed(new Uint8Array(Buffer.from(JSON.stringify(commitOf(draft(scene))))), 'post');
    }
    return scene;
  };
}

/** Filters of Query and parameters of Pull, through both kernels. */
export const filter: FuzzTarget = {
  help: 'filters of queries and parameters of reads, through both kernels',
  stride: STRIDE,
  async open(seed: number): Promise<Runner> {
    const answers = new Answers();
    const found = await pairedScenes(seed, answers);
    let scene: Scene | null = null;
    return {
      answers,
      run(run) {
        if (run % STRIDE === 0 || scene === null) scene = found(run);
        const { random } = scene;
        const { body, mode } = readRequest(scene);
        const { type, enclave, from, session, ...rest } = body;
        const text = mutateJson(rest as Plain, random).slice(1, -1);
        const parts = [
          ...(type === undefined ? [] : [`"type":${JSON.stringify(type)}`]),
          `"enclave":${JSON.stringify(enclave)}`,
          ...(from === undefined ? [] : [`"from":${JSON.stringify(from)}`, `"session":${JSON.stringify(session)}`]),
          ...(text ? [text] : []),
        ];
        const bytes = new Uint8Array(Buffer.from(`{${parts.join(',')}}`));
        scene.feed(random.chance(0.1) ? mutateBytes(bytes, random) : bytes, mode);
      },
      memory: () => scene?.kernel.memory ?? 0,
      close: async () => {},
    };
  },
};
