import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { readLinkSecret } from '../cluster/link/link-secret.ts';
import { Meters } from '../cluster/metrics/meters.ts';
import { ClusterView } from '../cluster/topology/cluster-view.ts';
import type { TopologyStore } from '../cluster/topology/topology-store.ts';
import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { loadWasmModule } from '../kernel/wasm-module.ts';
import { errorNumber } from '../protocol/errors.ts';
import { MAX_ARRAY } from '../protocol/limits.ts';
import { TokenBuckets } from '../shard/admission/token-bucket.ts';
import { adminAccess } from '../shard/api/admin-access.ts';
import { createOperatorServer } from '../shard/api/operator.ts';
import { createServer } from '../shard/api/server.ts';
import { closeDoor, httpUrl, turnAway } from '../shard/listening.ts';
import { openAdminToken } from '../shard/signer/admin-token.ts';
import { createSpanMetrics } from '../tracing/metrics.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { RouterConfig } from './config/router-config.ts';
import { Forwarder } from './forwarder.ts';
import { createRouterMetrics } from './metrics.ts';
import { misshaped, RouterApi } from './router-api.ts';
import { Routes } from './routes.ts';
import { topologyRoutes } from './topology-routes.ts';

const RATE_LIMITED = errorNumber('rate_limited');
/** How long calls under way may take when the router ends, ms. */
const DRAIN_MS = 10_000;

export interface RunningRouter {
  /** http://host:port of the public API and of the operator port */
  readonly url: string;
  readonly operatorUrl: string;
  stop(): Promise<void>;
}

export interface RouterHooks {
  readonly logger: Logger;
  readonly version: string;
  /** closed with the router */
  readonly store: TopologyStore;
  /** closed with the router; nothing is traced without it */
  readonly tracing?: Tracing | null;
}

/** A router: the public API of a cluster. It keeps nothing, so there may be any number of them. */
export async function startRouter(
  config: RouterConfig,
  adminSecret: string | null,
  { logger, version, store, tracing = null }: RouterHooks,
): Promise<RunningRouter> {
  const { http } = config;
  const view = new ClusterView(store, {
    onBlind: (reason) =>
      logger.warn({ reason }, 'the topology store can not be reached: going on with what was seen last'),
  });
  await view.look();
  if (config.shards !== null && view.topology.version === 0) {
    // Of several routers that start at once, one publishes.
    if (await store.publish(0, config.shards)) logger.info({ shards: config.shards }, 'published the first topology');
    await view.look();
  }
  const inspector = createWasmInspector(await loadWasmModule(), { maxCommit: http.maxCommit, maxArray: http.maxArray });
  const routes = new Routes(view.topology);
  const register = new Registry();
  let forwarder: Forwarder | null = null;
  const metrics = createRouterMetrics(new Meters(register), {
    waiting: () => forwarder?.waiting ?? 0,
    pendingBytes: () => forwarder?.pendingBytes ?? 0,
    pendingLimit: http.maxPendingBytes,
    reachable: () => forwarder?.reachable ?? 0,
    shards: () => view.topology.shards,
    live: () => [...view.beats.keys()].filter((shard) => shard < view.topology.shards).length,
    links: () => forwarder?.links ?? [],
    topology: () => view.topology.version,
    storeReachable: () => !view.blind,
    version,
  });
  forwarder = new Forwarder(
    { maxPendingBytes: http.maxPendingBytes },
    {
      view,
      routes,
      link: { secret: readLinkSecret(config.linkSecret), tls: config.tls },
      metrics,
      log: (fields, message) => logger.info(fields, message),
      misshaped: (flight) => misshaped(inspector, flight),
    },
  );
  const perAddress = config.commitsPerSecondPerAddress;
  const addresses = new TokenBuckets(perAddress, Math.max(perAddress, MAX_ARRAY), () => performance.now());
  const api = new RouterApi(
    { timeout: config.timeout },
    {
      inspector,
      routes,
      forwarder,
      answers: metrics.answers,
      addressRate: perAddress === 0 ? null : (address, count) => (addresses.take(address, count) ? 0 : RATE_LIMITED),
    },
  );
  const token = openAdminToken(config.keys, adminSecret);
  const isAdmin = adminAccess({ token, development: token.file !== null && config.loopback });
  if (tracing) createSpanMetrics(register, () => tracing.counts);
  const door = { api, answers: metrics.answers, isAdmin, logger, tracing };
  const app = createServer(
    {
      maxBody: http.maxBody,
      maxConnections: http.maxConnections,
      headersTimeout: http.headerTimeout,
      requestTimeout: http.requestTimeout,
    },
    door,
  );
  topologyRoutes(app, { ...door, view, store });
  let stopping = false;
  const notReady = (): string | null => {
    if (stopping) return 'draining';
    return forwarder?.reachable ? null : 'no shard can be reached';
  };
  const operator = createOperatorServer({ register, notReady });
  if (config.operator) await operator.listen(config.operator);
  await app.listen(config.listen);

  const stop = async (): Promise<void> => {
    stopping = true;
    if (config.lameDuck > 0) await turnAway(app, config.lameDuck);
    await closeDoor(app, DRAIN_MS);
    forwarder?.close();
    view.close();
    await store.close();
    await tracing?.close();
    await operator.close();
  };
  return { url: httpUrl(app), operatorUrl: config.operator ? httpUrl(operator) : '', stop };
}
