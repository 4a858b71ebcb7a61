import pino from 'pino';
import manifest from '../package.json' with { type: 'json' };
import { openTracing } from '../tracing/open-tracing.ts';
import { makeConfig } from './config/config.ts';
import { ConfigError, readEnv } from './config/env.ts';
import { readSecrets } from './config/secrets.ts';
import { readTracing } from './config/tracing-config.ts';
import { type RunningShard, startShard } from './shard.ts';

/** Exit codes: 0 drained, 1 could not start or had to stop, 2 wrong settings. */
async function main(): Promise<void> {
  const read = readEnv(process.env, process.argv.slice(2));
  if (read.kind === 'help') return void process.stdout.write(read.text);
  const config = makeConfig(read.raw);
  const secrets = readSecrets(process.env);
  const logger = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: false }));
  if (secrets.advice) logger.warn(secrets.advice);
  const { version } = manifest;
  const tracing = await openTracing(readTracing(process.env), {
    service: config.cluster ? 'enc-shard' : 'enc-node',
    version,
    shard: config.cluster?.shard ?? null,
    headers: secrets.traceHeaders,
    warn: (fields, message) => logger.warn(fields, message),
  });
  const shard = await startShard(config, secrets.adminToken, {
    logger,
    version,
    tracing,
    onFatal: (reason) => {
      // Going on could mean acknowledging what is not on disk. A restart replays what is.
      process.stderr.write(`enc-node: ${reason}; stopping\n`);
      process.exit(1);
    },
  });
  stopOnSignal(shard, logger);
  if (shard.operatorUrl) process.stdout.write(`operator port on ${shard.operatorUrl}\n`);
  process.stdout.write(
    config.cluster ? `shard ${config.cluster.shard} on ${shard.url}\n` : `listening on ${shard.url}\n`,
  );
}

function stopOnSignal(shard: RunningShard, logger: pino.Logger): void {
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) process.exit(1); // a second signal means now
    stopping = true;
    logger.info({ signal }, 'draining');
    shard.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(
          `enc-node: did not stop cleanly: ${error instanceof Error ? error.message : String(error)}\n`,
        );
        process.exit(1);
      },
    );
  };
  // Its starter was killed: whoever did that means this process, and must find its port and folder free.
  process.once('disconnect', () => process.exit(1));
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** What to do about it, for the faults that happen to everybody. */
function sentence(error: unknown): string {
  const { code, message } =
    error instanceof Error ? (error as NodeJS.ErrnoException) : { code: undefined, message: String(error) };
  if (code === 'EADDRINUSE')
    return `${message}: stop what listens there, or set ENC_PORT (--port) and ENC_OPS_PORT to free ports`;
  if (code === 'EACCES') return `${message}: give this user access, or set another place or port`;
  return message;
}

main().catch((error: unknown) => {
  process.stderr.write(`enc-node: ${sentence(error)}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
});
