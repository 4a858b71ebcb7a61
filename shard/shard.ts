import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { Meters } from '../cluster/metrics/meters.ts';
import { redisOptions } from '../cluster/redis/redis-options.ts';
import { RedisTopology } from '../cluster/topology/redis-topology.ts';
import type { TopologyStore } from '../cluster/topology/topology-store.ts';
import { type Kernel, type KernelHost, STAGE_FULL } from '../kernel/kernel.ts';
import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { createWasmKernel } from '../kernel/wasm-kernel.ts';
import { loadWasmModule, wasmSha256 } from '../kernel/wasm-module.ts';
import { createSpanMetrics } from '../tracing/metrics.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { Admission } from './admission/admission.ts';
import { adminAccess } from './api/admin-access.ts';
import type { DoorModules } from './api/http-exchange.ts';
import { createLocalApi } from './api/local-api.ts';
import { createOperatorServer } from './api/operator.ts';
import { createServer } from './api/server.ts';
import type { ClusterConfig } from './config/cluster-config.ts';
import type { Config } from './config/config.ts';
import { readCreators } from './config/creators.ts';
import { openSecp256k1, secp256k1Advice } from './crypto/open.ts';
import { openCryptoPool } from './crypto/pool.ts';
import { createDiskMetrics } from './disk-metrics.ts';
import { SessionCache } from './enclave/enclave-host.ts';
import { Enclaves } from './enclave/enclaves.ts';
import { Intake } from './enclave/intake.ts';
import { nameOf } from './enclave/name.ts';
import { Queries } from './enclave/query.ts';
import { Reads } from './enclave/reads.ts';
import { Restore } from './enclave/restore.ts';
import { Snapshots } from './enclave/snapshot.ts';
import type { ReleaseGuard } from './guard/release-guard.ts';
import { Seat, type SeatHouse, type SeatModules } from './link/seat.ts';
import { assertFree, closeDoor, httpUrl } from './listening.ts';
import type { ArchiveHints } from './log/archive/archive-hints.ts';
import { BullHints } from './log/archive/bull-hints.ts';
import { LocalHints } from './log/archive/local-hints.ts';
import { openArchive } from './log/archive/open-archive.ts';
import type { EnclaveLog } from './log/enclave-log.ts';
import { createShardMetrics } from './metrics.ts';
import { ownerNonce } from './ownership/owner-nonce.ts';
import { openRedisStores } from './redis-stores.ts';
import { openAdminToken } from './signer/admin-token.ts';
import type { StoresSeen } from './silent-stores.ts';
import { StoreMetrics } from './store-metrics.ts';
import { openStores, type Stores } from './stores.ts';

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
  /** closed with the shard; nothing is traced without it */
  readonly tracing?: Tracing | null;
}

/** Tests: stores seen through something else, or shared. */
export interface ShardOverrides {
  readonly log?: (log: EnclaveLog) => EnclaveLog;
  readonly guard?: (guard: ReleaseGuard) => ReleaseGuard;
  /** Shared by several shards of one process, whose owner closes them. */
  readonly stores?: Stores;
  readonly topology?: TopologyStore;
}

/** How long a drain may take before what is left is answered `unavailable`, ms. */
export const DRAIN_MS = 10_000;
/** One line about lost hints is enough for so long, ms. */
const HINTS_TOLD_MS = 60_000;
/** How long a start waits for the topology store, ms. */
const TOPOLOGY_MS = 10_000;

/** Opens the stores of a data folder and serves it: the single node (ARCHITECTURE §1). */
export async function startShard(
  config: Config,
  adminSecret: string | null,
  hooks: ShardHooks,
  overrides: ShardOverrides = {},
): Promise<RunningShard> {
  const { logger, tracing = null } = hooks;
  const now = hooks.now ?? Date.now;
  const warn = (fields: object, message: string): void => logger.warn(fields, message);
  const { folders, http } = config;
  // Before the stores are touched: opening them takes the folder over from a node that runs on it.
  await assertFree(config.cluster?.link ?? config.listen);
  if (config.operator) await assertFree(config.operator);
  const tmp = join(folders.data, 'tmp');
  rmSync(tmp, { recursive: true, force: true });

  const secp = openSecp256k1(config.crypto.backend ?? undefined);
  const advice = secp256k1Advice(secp.name);
  if (advice) logger.warn(advice);
  const register = new Registry();
  const meters = new Meters(register);
  const wraps = { ...hooks, metrics: new StoreMetrics(meters), wrapLog: overrides.log, wrapGuard: overrides.guard };
  const redis = config.cluster?.redis;
  const stores =
    overrides.stores ?? (await (redis ? openRedisStores(config, redis, secp, wraps) : openStores(config, secp, wraps)));
  const { log, guard, signer } = stores;
  const pool = openCryptoPool({
    backend: secp.name,
    ...(config.crypto.workers === null ? {} : { workers: config.crypto.workers }),
    onWorkerDeath: (reason) => {
      metrics.workerDeaths.inc();
      logger.error({ reason }, 'a crypto worker died and was replaced');
    },
  });

  const seen = (): StoresSeen => stores.silent?.look() ?? { silent: [], recovering: [] };
  const seat =
    config.cluster &&
    new Seat(config.cluster, { store: await openTopology(config.cluster, warn, overrides), warn, stores: seen });
  const module = await loadWasmModule();
  const inspector = createWasmInspector(module, { maxCommit: http.maxCommit, maxArray: http.maxArray });
  const newKernel = (host: KernelHost): Kernel => createWasmKernel(module, host);
  let enclaves: Enclaves | null = null;
  let intake: Intake | null = null;
  const metrics = createShardMetrics(meters, {
    role: seat ? 'shard' : 'node',
    activeEnclaves: () => enclaves?.active ?? 0,
    openingEnclaves: () => enclaves?.opening ?? 0,
    kernelBytes: () => enclaves?.memory ?? 0,
    pendingBytes: () => intake?.pendingBytes ?? 0,
    verifying: () => intake?.verifying ?? 0,
    staging: () => enclaves?.waiting ?? 0,
    inFlight: () => enclaves?.inFlight ?? 0,
    cryptoPending: () => pool.pending,
    limits: {
      active: config.enclaves.maxActive,
      kernelBytes: config.enclaves.maxActiveBytes,
      pendingBytes: http.maxPendingBytes,
    },
    silentStores: () => seen().silent.length,
    backend: secp.name,
    version: hooks.version,
    wasm: await wasmSha256(),
  });
  if (tracing) createSpanMetrics(register, () => tracing.counts);
  createDiskMetrics(meters, disks(config));
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
    owner: ownerNonce(config.cluster?.shard ?? null),
    expWindow: config.enclaves.expWindow,
    confirm: seat?.confirm ?? null,
    cluster: seat?.hooks ?? null,
    receipt: async (key: { enclave: Uint8Array; lane: number }, seq: number) => {
      const stored = await log.record(key, seq);
      if (!stored) throw new Error(`there is no event ${seq}`);
      return inspector.receipt(key.enclave, stored.record);
    },
  };
  await seat?.view.look();
  const archive =
    config.archive === null
      ? null
      : await openArchive(config.archive, {
          ...{ log, guard, verifier: secp, meters, warn },
          hints: archiveHints(config, warn),
          onErased: () => stores.archived?.forget(),
          mine: ({ enclave }) => seat?.isHome(enclave) ?? true,
          settled: async (key) => {
            await stores.archived?.trim(key);
            // Another shard's enclave was looked at: nothing of it need stay in this one's memory.
            if (enclaves?.has(nameOf(key.enclave)) === false) log.release(key);
          },
        });
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
  let stopping = false;
  const operator = createOperatorServer({ register, notReady: () => (stopping ? 'draining' : null) });
  if (config.operator) await operator.listen(config.operator);
  const { url, leave } = seat
    ? await takeSeat(seat, { api, log, enclaves, metrics, meters, maxBody: http.maxBody, tracing })
    : await openDoor(config, adminSecret, { api, answers: metrics.door, logger, tracing });

  const stop = async (): Promise<void> => {
    stopping = true;
    await leave();
    await (enclaves as Enclaves).drain(DRAIN_MS);
    await seat?.close();
    await pool.close();
    await archive?.close();
    if (!overrides.stores) await stores.close();
    await tracing?.close();
    await operator.close();
  };
  return { url, operatorUrl: config.operator ? httpUrl(operator) : '', stop };
}

/** Where this process is reached, and how it stops taking more: resolves when what came before has been answered. */
interface Door {
  readonly url: string;
  readonly leave: () => Promise<void>;
}

/** Folders whose disks are worth watching: where the stores are in Redis, that of the data and the archive. */
function disks({ folders, archive, cluster }: Config): Record<string, string> {
  return {
    ...(cluster?.redis ? { data: folders.data } : { log: folders.log, guard: folders.guard, keys: folders.keys }),
    ...(archive?.kind === 'folder' ? { archive: archive.path } : {}),
  };
}

/** Between the shards of a cluster, hints go through the Redis of the topology: what it loses are hints. */
function archiveHints({ cluster }: Config, warn: SeatModules['warn']): ArchiveHints {
  if (!cluster?.redis) return new LocalHints();
  let told = Number.NEGATIVE_INFINITY;
  const onError = (error: Error): void => {
    if (performance.now() - told < HINTS_TOLD_MS) return;
    told = performance.now();
    warn({ error: error.message }, 'hints of the archive are lost: the next sweep makes up for them');
  };
  return new BullHints({ connection: redisOptions(cluster.topology), onError });
}

/** The public API of a single node. */
async function openDoor(
  config: Config,
  adminSecret: string | null,
  modules: Omit<DoorModules, 'isAdmin'>,
): Promise<Door> {
  const { http } = config;
  const token = openAdminToken(config.folders.keys, adminSecret);
  const app = createServer(
    {
      maxBody: http.maxBody,
      maxConnections: http.maxConnections,
      headersTimeout: http.headerTimeout,
      requestTimeout: http.requestTimeout,
    },
    { ...modules, isAdmin: adminAccess({ token, development: token.file !== null && config.loopback }) },
  );
  await app.listen(config.listen);
  return { url: httpUrl(app), leave: () => closeDoor(app, DRAIN_MS) };
}

/** The link of a shard of a cluster: the public API is the routers'. */
async function takeSeat(seat: Seat, house: SeatHouse): Promise<Door> {
  return { url: await seat.take(house), leave: () => seat.leave(DRAIN_MS) };
}

async function openTopology(
  { topology }: ClusterConfig,
  warn: SeatModules['warn'],
  overrides: ShardOverrides,
): Promise<TopologyStore> {
  if (overrides.topology) return overrides.topology;
  const store = new RedisTopology(topology, (error) => warn({ error }, 'no connection to the topology store'));
  await store.connected(TOPOLOGY_MS);
  return store;
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
