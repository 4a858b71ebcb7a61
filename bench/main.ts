/**
 * `npm run bench -- NAME` (ARCHITECTURE §9): measures a real node from outside, in processes of its own, and says
 * which musts of ARCHITECTURE §6 it meets. Measure on a machine that does nothing else.
 */
import { Argument, Command, CommanderError, InvalidArgumentError } from 'commander';
import { benchHang } from './cluster-hang.ts';
import { benchHot } from './cluster-hot.ts';
import { benchShards } from './cluster-shards.ts';
import { benchStored } from './cluster-stored.ts';
import { benchCommits } from './commit.ts';
import { corpusCommand } from './corpus-command.ts';
import { benchFailover } from './failover.ts';
import { benchGuard } from './guard.ts';
import { benchHydrate } from './hydrate.ts';
import { benchIdle } from './idle.ts';
import { benchKernel } from './kernel.ts';
import { type Machine, machine } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { type Measured, publishCluster, publishNode, writeJson } from './publish.ts';
import { benchQuery } from './query.ts';
import { benchRedisLog } from './redis-log.ts';
import { reportCommand } from './report.ts';
import { type BenchResult, missed, rounded, table } from './result.ts';
import { benchRoot } from './root.ts';
import { benchClusterTraces, benchTraces } from './traces.ts';
import { benchTracePath } from './traces-path.ts';

type Bench = (options: BenchOptions, where: Machine) => Promise<BenchResult[]>;

const NODE: Readonly<Record<string, Bench>> = {
  commit: (o, { sync_ms }) => benchCommits({ name: 'commit', perPost: 1, must: 0.8, goal: 0.6, syncMs: sync_ms }, o),
  batch: (o, { sync_ms }) => benchCommits({ name: 'batch', perPost: 50, must: 0.25, goal: 0.15, syncMs: sync_ms }, o),
  kernel: benchKernel,
  query: benchQuery,
  hydrate: benchHydrate,
  idle: benchIdle,
  root: benchRoot,
};
const COSTS: Readonly<Record<string, Bench>> = {
  'cluster-hot': benchHot,
  'cluster-stored': benchStored,
  'cluster-shards': benchShards,
  'cluster-hang': benchHang,
};
const CLUSTER: Readonly<Record<string, Bench>> = {
  ...COSTS,
  failover: benchFailover,
  'redis-log': benchRedisLog,
  guard: benchGuard,
};
/** Names of many at once. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, Bench>>>> = {
  node: NODE,
  cluster: COSTS,
  capacity: CLUSTER,
  all: {
    ...NODE,
    ...CLUSTER,
    traces: benchTraces,
    'traces-path': benchTracePath,
    'traces-cluster': benchClusterTraces,
  },
};

interface Flags {
  readonly json?: string;
  readonly enclaves: number;
  readonly scale: number;
  readonly page?: true;
  readonly nodeArgs?: string;
  readonly against?: string;
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
};

const command = new Command('measure')
  .description(
    'Measures a node or a cluster and prints a table. Exits 0 only if every must of ARCHITECTURE §6 that applies is met.',
  )
  .addArgument(
    new Argument('<name>', 'what to measure').choices([...Object.keys(GROUPS['all'] ?? {}), ...Object.keys(GROUPS)]),
  )
  .option('--json <file>', 'write the figures as a JSON array')
  .option('--enclaves <n>', 'enclaves of the idle bench', positive, 200_000)
  .option(
    '--scale <factor>',
    'multiplies how much is measured: 0.05 tries the bench out, its figures mean little',
    positive,
    1,
  )
  .option(
    '--page',
    'write bench/results/ and refresh docs/performance.md and its plots (`node`), docs/capacity.md (`capacity`, or one of its benches), or both (`all`)',
  )
  .option('--node-args <args>', 'for the Node that runs the node under test, such as "--cpu-prof"')
  .option('--against <checkout>', 'traces: another checkout of the project, to compare its node with this one')
  .action(run);
const program = new Command('npm run bench --')
  .exitOverride()
  .addCommand(command, { isDefault: true })
  .addCommand(corpusCommand())
  .addCommand(reportCommand());
for (const sub of program.commands) sub.copyInheritedSettings(program);

async function run(name: string, flags: Flags): Promise<void> {
  const benches =
    GROUPS[name] ?? Object.fromEntries(Object.entries(GROUPS['all'] ?? {}).filter(([one]) => one === name));
  const ofNode = Object.keys(benches).filter((one) => Object.hasOwn(NODE, one));
  if (flags.page && (flags.scale < 1 || (ofNode.length > 0 && ofNode.length < Object.keys(NODE).length)))
    command.error('error: --page publishes `node`, `all`, `capacity` or a bench of clusters, at scale 1 or more');
  const options: BenchOptions = {
    scale: flags.scale,
    enclaves: Math.round(flags.enclaves),
    against: flags.against ?? null,
    nodeArgs: flags.nodeArgs?.split(' ').filter(Boolean) ?? [],
  };
  const where = machine();
  console.log(
    `${where.cores} × ${where.cpu}, ${where.system}, Node ${where.node}, sync ${where.sync_ms.toFixed(2)} ms`,
  );
  const measured = new Map<string, BenchResult[]>();
  for (const [one, bench] of Object.entries(benches)) {
    console.log(`${one} …`);
    measured.set(one, (await bench(options, where)).map(rounded));
  }
  const results = [...measured.values()].flat();
  if (flags.json) writeJson(flags.json, results);
  if (flags.page) await publish(measured, where);
  const failed = missed(results);
  if (failed.length > 0) console.log(`missed: ${failed.join(', ')}`);
  console.log(table(results));
  process.exitCode = failed.length > 0 ? 1 : 0;
}

async function publish(measured: Measured, where: Machine): Promise<void> {
  const of = (group: object): Measured => new Map([...measured].filter(([one]) => Object.hasOwn(group, one)));
  const [node, cluster] = [of(NODE), of(CLUSTER)];
  if (node.size > 0) await publishNode(node, where);
  if (cluster.size > 0) publishCluster(cluster, where);
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
