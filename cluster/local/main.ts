/**
 * `npm run cluster -- --shards 3` (ARCHITECTURE §9): a whole cluster on this machine. Exits 0 when it was asked to stop and
 * everything ended, 1 when it could not start.
 */
import { Command, InvalidArgumentError } from 'commander';
import { LocalCluster } from './local-cluster.ts';

const count =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    return value;
  };

interface Flags {
  readonly shards: number;
  readonly routers: number;
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly redis?: string;
  readonly logs: number;
  readonly redisGuard?: string;
}

const { env } = process;
const flags = new Command('npm run cluster --')
  .description('Runs a router and shards on this machine, with redis-servers of their own, until it is interrupted.')
  .option('--shards <n>', 'how many shards', count(1, 64), 3)
  .option('--routers <n>', 'how many routers, on every other port from --port on', count(1, 16), 1)
  .option(
    '--port <port>',
    'port of the public API; 0 takes a free one',
    count(0, 65_535),
    Number(env['ENC_PORT'] || 8080),
  )
  .option('--host <host>', 'address of the public API', env['ENC_HOST'] || '127.0.0.1')
  .option('--data <dir>', 'folder of everything that is kept', env['ENC_DATA'] || './data-cluster')
  .option('--redis <url>', 'Redis for the log and the topology (default: one is started)')
  .option('--logs <n>', 'how many redis-servers are started for the log', count(1, 16), 1)
  .option('--redis-guard <url>', 'Redis for the release guard (default: one is started)')
  .parse()
  .opts<Flags>();

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const options = { ...flags, redis: flags.redis ?? null, guard: flags.redisGuard ?? null, env };
const starting = LocalCluster.start(options, say);
let stopping = false;
const stop = (): void => {
  if (stopping) {
    void starting.then(({ cluster }) => cluster.kill()).finally(() => process.exit(1));
    return;
  }
  stopping = true;
  say('stopping');
  starting
    .then(({ cluster }) => cluster.stop())
    .then(
      () => process.exit(0),
      () => process.exit(1),
    );
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.once('disconnect', stop);
try {
  const { url } = await starting;
  if (!stopping) say(`router on ${url}`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
