/**
 * The router of router/main.ts that meets its shards through the test's proxies, as ENC_FAULT (a RouterPlan as JSON) says.
 * It is an entry of its own, so that the product has no hook for tests.
 */
import pino from 'pino';
import { RedisTopology } from '../../../cluster/topology/redis-topology.ts';
import type { Topology } from '../../../cluster/topology/topology.ts';
import type { Beat, Sight } from '../../../cluster/topology/topology-store.ts';
import { makeRouterConfig, readRouterEnv } from '../../../router/config/router-config.ts';
import { startRouter } from '../../../router/router.ts';
import { readSecrets } from '../../../shard/config/secrets.ts';

export interface RouterPlan {
  /** by shard: the port of loopback at which this router reaches it */
  readonly links: readonly number[];
  /** what this router reads instead of the topology that was published: others may tell it of a newer one */
  readonly topology?: Topology;
}

const CONNECT_MS = 10_000;

class SeenTopology extends RedisTopology {
  override async look(shards: number): Promise<Sight> {
    const { topology, beats } = await super.look(shards);
    const seen = [...beats].map(([shard, beat]): [number, Beat] => {
      const port = plan.links[shard];
      return [shard, port === undefined ? beat : { ...beat, url: `ws://127.0.0.1:${port}` }];
    });
    return { topology: plan.topology ?? topology, beats: new Map(seen) };
  }
}

const { ENC_FAULT, ...env } = process.env;
const plan = JSON.parse(ENC_FAULT ?? '{"links":[]}') as RouterPlan;
const stopped = (error: unknown): never => {
  process.stderr.write(`enc-router: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
};
try {
  const read = readRouterEnv(env, process.argv.slice(2));
  if (read.kind === 'help') throw new Error('this router is started by tests');
  const config = makeRouterConfig(read.raw);
  const logger = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
  const store = new SeenTopology(config.topology, (error) => logger.warn({ error }, 'no connection to the topology'));
  await store.connected(CONNECT_MS);
  const router = await startRouter(config, readSecrets(env).adminToken, { logger, version: 'faults', store });
  process.on('SIGTERM', () => router.stop().then(() => process.exit(0), stopped));
  process.stdout.write(`operator port on ${router.operatorUrl}\nrouter on ${router.url}\n`);
} catch (error) {
  stopped(error);
}
