/**
 * `npm run bench -- NAME` (ARCHITECTURE §9): measures a real node from outside, in processes of its own, and says
 * which musts of ARCHITECTURE §6 it meets. Measure on a machine that does nothing else.
 */
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander';
import { benchCluster } from './cluster.ts';
import { benchCommits } from './commit.ts';
import { benchFailover } from './failover.ts';
import { benchGuard } from './guard.ts';
import { benchHydrate } from './hydrate.ts';
import { benchIdle } from './idle.ts';
import { benchKernel } from './kernel.ts';
import { type Machine, machine } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { publish, writeJson } from './publish.ts';
import { benchQuery } from './query.ts';
import { benchRedisLog } from './redis-log.ts';
import { type BenchResult, missed, rounded, table } from './result.ts';
import { benchRoot } from './root.ts';

type Bench = (options: BenchOptions, where: Machine) => Promise<BenchResult[]>;

const BENCHES: Readonly<Record<string, Bench>> = {
  commit: (o, { sync_ms }) => benchCommits({ name: 'commit', perPost: 1, must: 0.8, goal: 0.6, syncMs: sync_ms }, o),
  batch: (o, { sync_ms }) => benchCommits({ name: 'batch', perPost: 50, must: 0.25, goal: 0.15, syncMs: sync_ms }, o),
  kernel: benchKernel,
  query: benchQuery,
  hydrate: benchHydrate,
  idle: benchIdle,
  root: benchRoot,
  guard: benchGuard,
  cluster: benchCluster,
  failover: benchFailover,
  'redis-log': benchRedisLog,
};

interface Flags {
  readonly json?: string;
  readonly enclaves: number;
  readonly scale: number;
  readonly page?: true;
  readonly nodeArgs?: string;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
};

const command = new Command('npm run bench --')
  .description('Measures a node and prints a table. Exits 0 only if every must of ARCHITECTURE §6 that applies is met.')
  .addArgument(new Argument('<name>', 'what to measure').choices([...Object.keys(BENCHES), 'all']))
  .option('--json <file>', 'write the figures as a JSON array')
  .option('--enclaves <n>', 'enclaves of the idle bench', positive, 40_000)
  .option(
    '--scale <factor>',
    'multiplies how much is measured: 0.05 tries the bench out, its figures mean little',
    positive,
    1,
  )
  .option('--page', 'with `all`: write bench/results/, redraw docs/plots/ and refresh docs/performance.md')
  .option('--node-args <args>', 'for the Node that runs the node under test, such as "--cpu-prof"')
  .exitOverride()
  .action(run);

async function run(name: string, flags: Flags): Promise<void> {
  if (flags.page && (name !== 'all' || flags.scale < 1))
    command.error('error: --page publishes `all`, at scale 1 or more');
  const options: BenchOptions = {
    scale: flags.scale,
    enclaves: Math.round(flags.enclaves),
    nodeArgs: flags.nodeArgs?.split(' ').filter(Boolean) ?? [],
  };
  const where = machine();
  console.log(
    `${where.cores} × ${where.cpu}, ${where.system}, Node ${where.node}, sync ${where.sync_ms.toFixed(2)} ms`,
  );
  const results: BenchResult[] = [];
  for (const [one, bench] of Object.entries(BENCHES)) {
    if (name !== 'all' && name !== one) continue;
    console.log(`${one} …`);
    results.push(...(await bench(options, where)).map(rounded));
  }
  if (flags.json) writeJson(flags.json, results);
  if (flags.page) await publish(results, where);
  const failed = missed(results);
  if (failed.length > 0) console.log(`missed: ${failed.join(', ')}`);
  console.log(table(results));
  process.exitCode = failed.length > 0 ? 1 : 0;
}

try {
  await command.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
