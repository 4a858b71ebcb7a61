import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pino from 'pino';
import type { Inspector, KernelHost } from '../kernel/kernel.ts';
import { STAGE_VERIFIED } from '../kernel/kernel.ts';
import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../kernel/wasm-kernel.ts';
import { loadWasmModule } from '../kernel/wasm-module.ts';
import { unhex } from '../protocol/hex.ts';
import { MAX_ARRAY, MAX_COMMIT_BYTES } from '../protocol/limits.ts';
import { makeConfig } from '../shard/config/config.ts';
import { readEnv } from '../shard/config/env.ts';
import type { CryptoPool } from '../shard/crypto/crypto.ts';
import { openSecp256k1 } from '../shard/crypto/open.ts';
import type { EnclaveActor } from '../shard/enclave/actor.ts';
import { SessionCache } from '../shard/enclave/enclave-host.ts';
import { Enclaves } from '../shard/enclave/enclaves.ts';
import { createEnclave, type HydrateModules } from '../shard/enclave/hydrate.ts';
import { checkGuard } from '../shard/guard/adopt.ts';
import { openFileGuard } from '../shard/guard/file-guard.ts';
import { openEmbeddedLog } from '../shard/log/embedded/index.ts';
import { ownerNonce } from '../shard/ownership/owner-nonce.ts';
import { openRedisStores } from '../shard/redis-stores.ts';
import { openSigner } from '../shard/signer/signer.ts';
import type { Stores } from '../shard/stores.ts';
import { type Author, Corpus } from './corpus.ts';

export const EXP_WINDOW = 600_000;
/** Enclaves that the filler has open at once; it makes as many at the same time. */
const AT_ONCE = 512;
const DRAIN_MS = 10_000;

type FillStores = Pick<Stores, 'log' | 'guard' | 'signer'> & { close(): Promise<void> };

/** The stores of a data folder. `checkpoints: false`: the log gets none that a node would take. */
export async function folderStores(data: string, checkpoints = true): Promise<FillStores> {
  const signer = await openSigner({ dir: join(data, 'keys'), backend: openSecp256k1(), maxUnwrapped: AT_ONCE });
  const guard = await openFileGuard({ folder: join(data, 'guard') });
  const log = await openEmbeddedLog({
    folder: join(data, 'log'),
    // Checkpoints under another key are ignored when they are read.
    checkpointKey: checkpoints ? signer.checkpointKey() : randomBytes(32),
  });
  await checkGuard(log, guard);
  const close = async (): Promise<void> => {
    await log.close();
    await guard.close();
    await signer.close();
  };
  return { log, guard, signer, close };
}

/** The stores of a cluster: both Redis, and the folder of its keys. */
export async function clusterStores(log: string, guard: string, keys: string): Promise<FillStores> {
  const env = { ENC_SHARD: '0', ENC_LOG_REDIS: log, ENC_GUARD_REDIS: guard, ENC_KEYS_DIR: keys, ENC_LINK_SECRET: keys };
  const read = readEnv(env, []);
  if (read.kind === 'help') throw new Error('nobody asked for help');
  const config = makeConfig(read.raw);
  const redis = config.cluster?.redis;
  if (!redis) throw new Error('these are no settings of a cluster');
  const logger = pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true }));
  const onFatal = (reason: string): void => {
    throw new Error(reason);
  };
  return await openRedisStores(config, redis, openSecp256k1(), { logger, onFatal });
}

export interface Founded {
  /** hex32 */
  readonly enclave: string;
  readonly sequencer: Uint8Array;
  readonly actor: EnclaveActor;
}

/**
 * Fills stores with enclaves, fast: everything goes the way that it goes in a node (kernel, log, guard, checkpoints), but
 * signatures of commits and events are filler. Nothing that is measured on such enclaves looks at them.
 */
export class Filler {
  readonly corpus: Corpus;
  readonly inspector: Inspector;
  /** the clock of what is filled in, ms */
  now = Date.now();
  readonly #stores: FillStores;
  readonly #hydration: HydrateModules;
  readonly #enclaves: Enclaves;
  #founded = 0;

  private constructor(stores: FillStores, corpus: Corpus, module: WebAssembly.Module) {
    this.corpus = corpus;
    this.inspector = createWasmInspector(module, { maxCommit: MAX_COMMIT_BYTES, maxArray: MAX_ARRAY });
    this.#stores = stores;
    const { log, guard, signer } = stores;
    this.#hydration = {
      log,
      guard,
      secp: corpus.secp,
      sessions: new SessionCache(),
      // No shard of a cluster has this number, so that any may open what was filled in.
      owner: ownerNonce(null),
      expWindow: EXP_WINDOW,
      newKernel: (host: KernelHost) => createWasmKernel(module, host),
    };
    this.#enclaves = new Enclaves(
      {
        maxActive: AT_ONCE * 2,
        maxActiveBytes: 2 ** 32,
        idleAfter: 2 ** 31,
        expWindow: EXP_WINDOW,
        clockSkewAlarm: 2 ** 40,
      },
      {
        ...this.#hydration,
        signer,
        pool: FILLER,
        metrics: null,
        now: () => this.now,
        onReleased: () => {},
        confirm: null,
        cluster: null,
        warn: (fields, message) => console.error(message, fields),
        receipt: () => Promise.reject(new Error('no commit is repeated here')),
      },
    );
  }

  static async open(stores: FillStores): Promise<Filler> {
    return new Filler(stores, await Corpus.open(), await loadWasmModule());
  }

  /** One enclave with its Manifest alone, left open. `fits`: which ids will do. */
  async found(
    owner: Author,
    members: readonly Author[],
    bundle: object,
    fits: (enclave: Uint8Array) => boolean = () => true,
  ): Promise<Founded> {
    const { corpus, inspector } = this;
    const made = (): { enclave: string; text: Buffer } =>
      corpus.unsignedManifest(owner, members, `${this.now}-${this.#founded++}`, this.now + 1000, bundle);
    let { enclave, text } = made();
    while (!fits(unhex(enclave))) ({ enclave, text } = made());
    const manifest = inspector.inspect(text, 'post').bytes.slice();
    const key = { enclave: unhex(enclave), lane: 0 };
    const { signer } = this.#stores;
    const seed = manifest.slice(216, 248);
    const sequencer = signer.derive(seed);
    await signer.adopt(key.enclave, seed, unhex(owner.id), sequencer);
    const params = { ...key, sequencer: sequencer.public, expWindow: EXP_WINDOW };
    const actor = this.#enclaves.adopt(await createEnclave(key, sequencer, params, this.#hydration));
    const first = push(actor, manifest);
    actor.pump();
    await first;
    return { enclave, sequencer: sequencer.public, actor };
  }

  /** `count` enclaves of one event each, asleep with their bundles closed. Their ids, hex32. */
  async many(
    count: number,
    owner: Author,
    members: readonly Author[],
    bundle: object,
    fits?: (enclave: Uint8Array) => boolean,
  ): Promise<string[]> {
    const ids: string[] = [];
    let left = count;
    const one = async (): Promise<void> => {
      while (left-- > 0) {
        const { enclave, actor } = await this.found(owner, members, bundle, fits);
        await this.sleep(actor);
        ids.push(enclave);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    return ids;
  }

  /** Closes its bundle, which would be due otherwise and wake it as soon as a node starts, and puts it to sleep. */
  async sleep(actor: EnclaveActor): Promise<void> {
    await new Promise((resolve) => actor.closeBundle(resolve));
    await new Promise((resolve) => actor.whenReleased(resolve));
    this.#enclaves.letGo(actor);
  }

  async close(): Promise<void> {
    await this.#enclaves.drain(DRAIN_MS);
    await this.#stores.close();
  }
}

/** One commit, as inspected; it is staged with the next pump. Resolves to the answer; rejects if it was refused. */
export function push(actor: EnclaveActor, ic: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const reply = (code: number, body: Uint8Array): void => {
      if (code === 0) resolve(body);
      else reject(new Error(Buffer.from(body).toString()));
    };
    actor.push({ ic, flags: STAGE_VERIFIED, reply, arrived: 0, trace: null });
  });
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
