import pino from 'pino';
import { RedisTopology } from '../cluster/topology/redis-topology.ts';
import manifest from '../package.json' with { type: 'json' };
import { ConfigError } from '../shard/config/env.ts';
import { readSecrets } from '../shard/config/secrets.ts';
import { readTracing } from '../shard/config/tracing-config.ts';
import { openTracing } from '../tracing/open-tracing.ts';
import { makeRouterConfig, readRouterEnv } from './config/router-config.ts';
import { startRouter } from './router.ts';

/** How long a start waits for the topology store, ms. */
const TOPOLOGY_MS = 10_000;

/** Exit codes: 0 drained, 1 could not start, 2 wrong settings. */
async function main(): Promise<void> {
  const read = readRouterEnv(process.env, process.argv.slice(2));
  if (read.kind === 'help') return void process.stdout.write(read.text);
  const config = makeRouterConfig(read.raw);
  const secrets = readSecrets(process.env);
  const logger = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: false }));
  if (secrets.advice) logger.warn(secrets.advice);
  const store = new RedisTopology(config.topology, (error) =>
    logger.warn({ error }, 'no connection to the topology store'),
  );
  await store.connected(TOPOLOGY_MS);
  const { version } = manifest;
  const tracing = await openTracing(readTracing(process.env), {
    service: 'enc-router',
    version,
    shard: null,
    headers: secrets.traceHeaders,
    warn: (fields, message) => logger.warn(fields, message),
  });
  const router = await startRouter(config, secrets.adminToken, { logger, version, store, tracing });
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1); // a second signal means now
    stopping = true;
    router.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  // Its starter was killed: whoever did that means this process too.
  process.once('disconnect', () => process.exit(1));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  if (router.operatorUrl) process.stdout.write(`operator port on ${router.operatorUrl}\n`);
  process.stdout.write(`router on ${router.url}\n`);
}

function fail(error: unknown): never {
  process.stderr.write(`enc-router: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}

main().catch(fail);
