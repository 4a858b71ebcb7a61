import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { type Kernel, type KernelHost, STAGE_FULL } from '../kernel/kernel.ts';
import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../kernel/wasm-kernel.ts';
import { loadWasmModule, wasmSha256 } from '../kernel/wasm-module.ts';
import { Admission } from './admission/admission.ts';
import { adminAccess } from './api/admin-access.ts';
import { createLocalApi } from './api/local-api.ts';
import { createOperatorServer } from './api/operator.ts';
import { createServer } from './api/server.ts';
import type { Config } from './config/config.ts';
import { readCreators } from './config/creators.ts';
import { openSecp256k1, secp256k1Advice } from './crypto/open.ts';
import { openCryptoPool } from './crypto/pool.ts';
import { SessionCache } from './enclave/enclave-host.ts';
import { Enclaves } from './enclave/enclaves.ts';
import { Intake } from './enclave/intake.ts';
import { Queries } from './enclave/query.ts';
import { Reads } from './enclave/reads.ts';
import { Restore } from './enclave/restore.ts';
import { Snapshots } from './enclave/snapshot.ts';
import { adoptGuard, checkGuard } from './guard/adopt.ts';
import { openFileGuard } from './guard/file-guard.ts';
import type { ReleaseGuard } from './guard/release-guard.ts';
import { checkLmdbFile } from './lmdb-file.ts';
import { LocalHints } from './log/archive/local-hints.ts';
import { openArchive } from './log/archive/open-archive.ts';
import { openEmbeddedLog } from './log/embedded/index.ts';
import type { EnclaveLog } from './log/enclave-log.ts';
import { createShardMetrics } from './metrics.ts';
import { openAdminToken } from './signer/admin-token.ts';
import { openSigner } from './signer/signer.ts';

export interface RunningShard {
  /** http://host:port of the public API and of the operator port */
  readonly url: string;
  readonly operatorUrl: string;
  /** Drains: stops accepting, releases what is in flight, takes checkpoints, closes the stores. */
  stop(): Promise<void>;
}

export interface ShardHooks {
  readonly logger: Logger;
  readonly version: string;
  readonly now?: () => number;
  /** The process must not go on: a sync failed, or what was acknowledged can no longer be trusted. */
  readonly onFatal: (reason: string) => void;
}

/** Stores seen through something else: fault tests wrap them. */
export interface ShardOverrides {
  readonly log?: (log: EnclaveLog) => EnclaveLog;
  readonly guard?: (guard: ReleaseGuard) => ReleaseGuard;
}

/** Left in the data folder by `enc admin guard adopt`: the next start takes the log as it is. */
const ADOPTION_MARK = 'guard.adopt';
/** How long a drain may take before what is left is answered `unavailable`, ms. */
const DRAIN_MS = 10_000;
/** A connection kept alive would hold the drain for as long as its client likes, ms. */
const CLOSE_IDLE_EVERY_MS = 20;

/** Opens the stores of a data folder and serves it: the single node (ARCHITECTURE §1). */
export async function startShard(
  config: Config,
  adminSecret: string | null,
  hooks: ShardHooks,
  overrides: ShardOverrides = {},
): Promise<RunningShard> {
  const { logger } = hooks;
  const now = hooks.now ?? Date.now;
  const warn = (fields: object, message: string): void => logger.warn(fields, message);
  const { folders, http } = config;
  // Before the stores are touched: opening them takes the folder over from a node that runs on it.
  await assertFree(config.listen);
  if (config.operator) await assertFree(config.operator);
  mkdirSync(folders.data, { recursive: true, mode: 0o700 });
  const tmp = join(folders.data, 'tmp');
  rmSync(tmp, { recursive: true, force: true });

  const secp = openSecp256k1(config.crypto.backend ?? undefined);
  const advice = secp256k1Advice(secp.name);
  if (advice) logger.warn(advice);
  const pool = openCryptoPool({
    backend: secp.name,
    ...(config.crypto.workers === null ? {} : { workers: config.crypto.workers }),
    onWorkerDeath: (reason) => logger.error({ reason }, 'a crypto worker died and was replaced'),
  });
  checkLmdbFile(join(folders.keys, 'enclaves'), 'keys/');
  checkLmdbFile(folders.guard, 'guard/');
  checkLmdbFile(folders.log, 'log/');
  const signer = await openSigner({ dir: folders.keys, backend: secp, maxUnwrapped: config.enclaves.maxActive });
  const adminToken = openAdminToken(folders.keys, adminSecret);
  const ownGuard = await openFileGuard({
    folder: folders.guard,
    onFatal: (reason) => hooks.onFatal(broken('guard', folders.guard, reason)),
    onLost: () => hooks.onFatal(`another process has taken ${folders.guard} over`),
    onFailure: (reason) => logger.error({ reason }, 'the guard could not be written; nothing was acknowledged'),
  });
  const guard = overrides.guard?.(ownGuard) ?? ownGuard;
  const ownLog = await openEmbeddedLog({
    folder: folders.log,
    checkpointKey: signer.checkpointKey(),
    onFatal: (reason) => hooks.onFatal(broken('log', folders.log, reason)),
    onLost: () => hooks.onFatal(`another process has taken ${folders.log} over`),
    onFailure: (reason) => logger.error({ reason }, 'the log could not be written; nothing was acknowledged'),
  });
  const log = overrides.log?.(ownLog) ?? ownLog;
  const adoption = join(folders.data, ADOPTION_MARK);
  if (existsSync(adoption)) {
    await adoptGuard(log, guard, (enclaves) => logger.info({ enclaves }, 'the guard takes the log as it is'));
    rmSync(adoption);
  } else await checkGuard(log, guard);

  const module = await loadWasmModule();
  const inspector = createWasmInspector(module, { maxCommit: http.maxCommit, maxArray: http.maxArray });
  const newKernel = (host: KernelHost): Kernel => createWasmKernel(module, host);
  const register = new Registry();
  let enclaves: Enclaves | null = null;
  let intake: Intake | null = null;
  const metrics = createShardMetrics(register, {
    activeEnclaves: () => enclaves?.active ?? 0,
    kernelBytes: () => enclaves?.memory ?? 0,
    pendingBytes: () => intake?.pendingBytes ?? 0,
    cryptoPending: () => pool.pending,
    backend: secp.name,
    version: hooks.version,
    wasm: await wasmSha256(),
  });
  const { create } = config.admission;
  const creation = typeof create === 'string' ? create : readCreators(create.file);
  const admission = new Admission(
    { ...config.admission, create: creation },
    { enclavesOf: (creator) => signer.enclavesOf(creator), now: () => performance.now() },
  );
  const shared = {
    log,
    guard,
    pool,
    secp,
    signer,
    metrics,
    newKernel,
    now,
    warn,
    inspector,
    sessions: new SessionCache(),
    owner: randomBytes(16),
    expWindow: config.enclaves.expWindow,
    receipt: async (key: { enclave: Uint8Array; lane: number }, seq: number) => {
      const stored = await log.record(key, seq);
      if (!stored) throw new Error(`there is no event ${seq}`);
      return inspector.receipt(key.enclave, stored.record);
    },
  };
  const archive =
    config.archive === null
      ? null
      : await openArchive(config.archive, { log, guard, verifier: secp, hints: new LocalHints(), register, warn });
  enclaves = new Enclaves(config.enclaves, {
    ...shared,
    onReleased: (actor) => {
      if (actor.released.bundles > actor.bundlesTold) {
        actor.bundlesTold = actor.released.bundles;
        archive?.hint(actor.key);
      }
      actor.quotaFlags = admission.full(actor.bytes, actor.kernel.leaves) ? STAGE_FULL : 0;
    },
  });
  intake = new Intake({ maxPendingBytes: http.maxPendingBytes }, { ...shared, enclaves, admission });
  const api = createLocalApi(about(config, hooks.version, secp.name, await wasmSha256()), {
    ...shared,
    enclaves,
    intake,
    admission,
    reads: new Reads({ ...shared, enclaves }),
    queries: new Queries({ ...shared, enclaves, busy: () => (intake?.pendingBytes ?? 0) > 0 }),
    snapshots: new Snapshots({ ...shared, enclaves }),
    restore: new Restore({ ...shared, enclaves, tmp }),
  });
  const isAdmin = adminAccess({ token: adminToken, development: adminToken.file !== null && config.loopback });
  const app = createServer(
    {
      maxBody: http.maxBody,
      maxConnections: http.maxConnections,
      headersTimeout: http.headerTimeout,
      requestTimeout: http.requestTimeout,
    },
    { api, metrics, isAdmin, logger },
  );
  let stopping = false;
  const operator = createOperatorServer({ register, notReady: () => (stopping ? 'draining' : null) });
  await app.listen(config.listen);
  if (config.operator) await operator.listen(config.operator);

  const stop = async (): Promise<void> => {
    stopping = true;
    await closeDoor(app);
    await (enclaves as Enclaves).drain(DRAIN_MS);
    await pool.close();
    await archive?.close();
    await log.close();
    await guard.close();
    await signer.close();
    await operator.close();
  };
  return { url: urlOf(app), operatorUrl: config.operator ? urlOf(operator) : '', stop };
}

/** Requests in flight are answered; connections end as soon as nothing is asked on them, and all of them at the deadline. */
async function closeDoor(app: FastifyInstance): Promise<void> {
  const idle = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const late = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}

/** A short write comes out of LMDB as an I/O error, so a full disk is among the causes. */
function broken(store: string, folder: string, reason: string): string {
  return `the ${store} in ${folder} could not be written (${reason}): check that its disk is sound and has room, then start again`;
}

function urlOf(app: FastifyInstance): string {
  const { address, port, family } = app.server.address() as AddressInfo;
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** The members of `GET /` that never change (PROTOCOL §9). */
function about(config: Config, version: string, backend: string, wasm: string): string {
  const limits = {
    body: config.http.maxBody,
    commit: config.http.maxCommit,
    array: config.http.maxArray,
    exp_window: config.enclaves.expWindow,
    ...Object.fromEntries(
      Object.entries(config.admission).filter(([, value]) => typeof value === 'number' && value > 0),
    ),
  };
  const members = { name: config.name, version, protocol: 'enc/2', kernel: wasm, secp256k1: backend, limits };
  return JSON.stringify(members).slice(1, -1);
}

/** Rejects as listening would (EADDRINUSE, EACCES) if the port can't be had. */
async function assertFree(address: { readonly host: string; readonly port: number }): Promise<void> {
  if (address.port === 0) return;
  const probe = createTcpServer();
  probe.listen(address);
  await once(probe, 'listening');
  probe.close();
  await once(probe, 'close');
}
