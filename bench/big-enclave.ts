import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { KernelHost } from '../kernel/kernel.ts';
import { STAGE_VERIFIED } from '../kernel/kernel.ts';
import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../kernel/wasm-kernel.ts';
import { loadWasmModule } from '../kernel/wasm-module.ts';
import { unhex } from '../protocol/hex.ts';
import { MAX_ARRAY, MAX_COMMIT_BYTES } from '../protocol/limits.ts';
import type { CryptoPool } from '../shard/crypto/crypto.ts';
import { openSecp256k1 } from '../shard/crypto/open.ts';
import { SessionCache } from '../shard/enclave/enclave-host.ts';
import { Enclaves } from '../shard/enclave/enclaves.ts';
import { createEnclave } from '../shard/enclave/hydrate.ts';
import { checkGuard } from '../shard/guard/adopt.ts';
import { openFileGuard } from '../shard/guard/file-guard.ts';
import { openEmbeddedLog } from '../shard/log/embedded/index.ts';
import { openSigner } from '../shard/signer/signer.ts';
import { type Author, Corpus } from './corpus.ts';

const MEMBERS = 1000;
const EXP_WINDOW = 600_000;
/** between two events, ms */
export const STEP_MS = 10;
/** of a commit, ms: longer than a group takes by the clock of the events */
const LIFETIME = 60_000;
/** commits of one batch, which have one timestamp, and batches under way: as many as an enclave stages at once */
const GROUP = 500;
const IN_FLIGHT = 3;
/** every so many events one is a `rare`, and a note carries each value of the tag `topic` */
export const RARE_EVERY = 10_000;
export const TOPICS = 10_000;

export interface BigEnclave {
  /** hex32 */
  readonly enclave: string;
  readonly sequencer: Uint8Array;
  readonly owner: Author;
  readonly members: readonly Author[];
  readonly events: number;
  /** timestamp of the event with seq n is firstTime + STEP_MS · n, or up to 5 s later */
  readonly firstTime: number;
  /** ids of some events, hex32 */
  readonly ids: readonly string[];
}

/**
 * Fills a data folder with one enclave of many small events, fast: everything goes the way that it goes in a node
 * (kernel, log, guard, checkpoints), but signatures of commits and events are filler. Nothing that is measured on such
 * an enclave looks at them. `checkpoints: false`: the log has none that a node would take.
 */
export async function fillEnclave(data: string, events: number, checkpoints = true): Promise<BigEnclave> {
  const secp = openSecp256k1();
  const signer = await openSigner({ dir: join(data, 'keys'), backend: secp, maxUnwrapped: 10 });
  const guard = await openFileGuard({ folder: join(data, 'guard') });
  const log = await openEmbeddedLog({
    folder: join(data, 'log'),
    // Checkpoints under another key are ignored when they are read.
    checkpointKey: checkpoints ? signer.checkpointKey() : randomBytes(32),
  });
  await checkGuard(log, guard);
  const module = await loadWasmModule();
  const inspector = createWasmInspector(module, { maxCommit: MAX_COMMIT_BYTES, maxArray: MAX_ARRAY });
  const corpus = await Corpus.open();
  const owner = corpus.author(0);
  const members = Array.from({ length: MEMBERS }, (_, i) => corpus.author(i + 1));
  const firstTime = Date.now() - EXP_WINDOW - events * STEP_MS;
  let now = firstTime;
  const hydration = {
    log,
    guard,
    secp,
    sessions: new SessionCache(),
    owner: randomBytes(16),
    expWindow: EXP_WINDOW,
    newKernel: (host: KernelHost) => createWasmKernel(module, host),
  };
  const enclaves = new Enclaves(
    { maxActive: 10, maxActiveBytes: 2 ** 32, idleAfter: 2 ** 31, expWindow: EXP_WINDOW, clockSkewAlarm: 2 ** 40 },
    {
      ...hydration,
      signer,
      pool: FILLER,
      metrics: null,
      now: () => now,
      onReleased: () => {},
      confirm: null,
      cluster: null,
      warn: (fields, message) => console.error(message, fields),
      receipt: () => Promise.reject(new Error('no commit is repeated here')),
    },
  );
  const { enclave, text } = corpus.manifest(owner, members, String(now), now + 1000, { size: 256, timeout: 5000 });
  const manifest = inspector.inspect(Buffer.from(text), 'post').bytes;
  const key = { enclave: unhex(enclave), lane: 0 };
  const seed = manifest.slice(216, 248);
  const sequencer = signer.derive(seed);
  await signer.adopt(key.enclave, seed, unhex(owner.id), sequencer);
  const actor = enclaves.adopt(
    await createEnclave(key, sequencer, { ...key, sequencer: sequencer.public, expWindow: EXP_WINDOW }, hydration),
  );
  const ids: string[] = [];
  const push = (ic: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      const reply = (code: number, body: Uint8Array): void => {
        const answer = code === 0 && ids.length * RARE_EVERY > actor.released.seq ? '' : Buffer.from(body).toString();
        if (code !== 0) return reject(new Error(answer));
        const id = /"id":"([0-9a-f]{64})"/.exec(answer)?.[1];
        if (id) ids.push(id);
        resolve();
      };
      actor.push({ ic, flags: STAGE_VERIFIED, reply, arrived: 0 });
    });
  const first = push(manifest);
  actor.pump();
  await first;
  const inFlight: Promise<unknown>[] = [];
  for (let n = 1; n < events; ) {
    const group: Promise<void>[] = [];
    for (const end = Math.min(events, n + GROUP); n < end; n++) {
      const author = members[n % MEMBERS] as Author;
      const commit = corpus.unsigned(author, enclave, draft(n, now + LIFETIME));
      group.push(push(inspector.inspect(commit, 'post').bytes));
    }
    now = firstTime + n * STEP_MS;
    actor.pump();
    inFlight.push(Promise.all(group));
    if (inFlight.length === IN_FLIGHT) await inFlight.shift();
  }
  await Promise.all(inFlight);
  // A bundle left open would be due, and wake the enclave as soon as a node starts.
  await new Promise((resolve) => actor.closeBundle(resolve));
  now += EXP_WINDOW;
  await enclaves.drain(10_000);
  await log.close();
  await guard.close();
  await signer.close();
  return { enclave, sequencer: sequencer.public, owner, members, events, firstTime, ids };
}

function draft(n: number, exp: number) {
  const type = n % RARE_EVERY === RARE_EVERY - 1 ? 'rare' : 'note';
  const content = `{"n":${n},"text":"${'enclave '.repeat(22)}"}`;
  return { type, content, exp, tags: `[["topic","t${(n * 7919) % TOPICS}"]]` };
}

/** Signs nothing: an answer of the right shape, at the next turn. */
const FILLER: CryptoPool = {
  backend: 'native',
  workers: 0,
  pending: 0,
  verify: (_inputs, count, done) => queueMicrotask(() => done(new Uint8Array(count).fill(1))),
  sign: (_secret, _hashes, count, done) => queueMicrotask(() => done(new Uint8Array(count * 64).fill(7))),
  close: async () => {},
};
