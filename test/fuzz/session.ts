import { mutateBytes } from '../parity/hostile.ts';
import { hex, sessionToken } from '../parity/ring.ts';
import { pairedScenes } from './filter.ts';
import { PEOPLE, type Scene } from './scene.ts';
import { Answers, Crash, type FuzzTarget, type Runner } from './target.ts';

const STRIDE = 1000;
/** Answers that a request gets only behind an accepted session. */
const INSIDE = new Set(['ok', 'forbidden', 'bundle_open', 'event_not_found']);

/** Session tokens: whatever is not exactly the token of its holder must not open anything. */
export const session: FuzzTarget = {
  help: 'session tokens; any that opens a read and was not signed by its holder is a crash',
  stride: STRIDE,
  async open(seed: number): Promise<Runner> {
    const answers = new Answers();
    const found = await pairedScenes(seed, answers);
    let scene: Scene | null = null;
    return {
      answers,
      run(run) {
        if (run % STRIDE === 0 || scene === null) scene = found(run);
        const { random, sequencer, enclaveHex: enclave } = scene;
        const seconds = Math.floor(scene.now / 1000);
        const who = random.pick(PEOPLE);
        const good = hex(sessionToken(who, sequencer.pub, seconds + random.int(7200)));
        let token = good;
        switch (random.int(8)) {
          case 0:
            token = Buffer.from(mutateBytes(new Uint8Array(Buffer.from(good)), random)).toString('utf8');
            break;
          case 1: {
            const bytes = new Uint8Array(Buffer.from(good, 'hex'));
            const at = random.int(68);
            bytes[at] = (bytes[at] as number) ^ (1 << random.int(8));
            token = hex(bytes);
            break;
          }
          case 2:
            token = hex(sessionToken(random.pick(PEOPLE.filter((p) => p !== who)), sequencer.pub, seconds + 60));
            break;
          case 3:
            token = hex(sessionToken(who, random.pick(PEOPLE).pub, seconds + 60));
            break;
          case 4:
            token = hex(
              sessionToken(who, sequencer.pub, random.pick([0, 1, seconds - 61, seconds + 7261, 2 ** 32 - 1, 2 ** 31])),
            );
            break;
          case 5:
            token = good.slice(0, 128) + random.u32().toString(16).padStart(8, '0');
            break;
          case 6:
            token = hex(random.bytes(random.pick([67, 68, 68, 69])));
            break;
        }
        const body = random.pick([
          { type: 'Query', enclave, from: who.hex, session: token, filter: {} },
          { type: 'Pull', enclave, from: who.hex, session: token },
          { enclave, from: who.hex, session: token, seq: 0 },
        ]);
        const bytes = new Uint8Array(Buffer.from(JSON.stringify(body)));
        const told = scene.feed(bytes, 'type' in body ? 'post' : 'inclusion');
        if (token !== good && INSIDE.has(told)) throw new Crash(`a forged session was answered ${told}`, bytes);
        if (token === good && !INSIDE.has(told)) throw new Crash(`a good session was answered ${told}`, bytes);
      },
      memory: () => scene?.kernel.memory ?? 0,
      close: async () => {},
    };
  },
};
