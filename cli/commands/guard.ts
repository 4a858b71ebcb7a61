import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { CliModules, Context } from '../context.ts';
import { UsageError } from '../failures.ts';
import { textOf } from '../input.ts';
import { command, run } from '../options.ts';

/** Read by the node's next start (shard/shard.ts). */
const MARK = 'guard.adopt';

const DOUBT =
  'Adopting a guard trusts the log as it is: events that an older copy lacks would be signed anew. ' +
  'If the log is the live one, say so with --yes.';

/** `enc admin guard`: the operator's word about the release guard of a node on this machine, or of a cluster. */
export function guardCommands(modules: CliModules): Command {
  const group = new Command('guard').description(
    'the release guard of a node on this machine, or of a stopped cluster',
  );
  group.addCommand(
    command('adopt', 'take the log as complete and make new watermarks (when the guard is lost)')
      .option('--data <folder>', "a node's data folder (default: ENC_DATA, or ./data): its next start does it")
      .option('--log-redis <urls>', 'of a cluster whose shards are stopped: ENC_LOG_REDIS, or @file with it')
      .option('--guard-redis <url>', 'of a cluster: ENC_GUARD_REDIS, or @file with it')
      .option('--allow-unsafe-redis', 'of a cluster: as ENC_ALLOW_UNSAFE_REDIS=yes')
      .option('--yes', 'yes, the log is the live one and no older copy of it')
      .action(
        run(modules, (context, options) => {
          const cluster = options['logRedis'] !== undefined || options['guardRedis'] !== undefined;
          return cluster ? adoptOfCluster(context, options) : adoptOfNode(context, options);
        }),
      ),
  );
  return group;
}

type Options = Readonly<Record<string, unknown>>;

/** Leaves a mark for the next start: the folder may be in use by the node now. */
async function adoptOfNode(context: Context, options: Options): Promise<void> {
  const data = (options['data'] as string | undefined) ?? context.config.data;
  if (!existsSync(data)) throw new UsageError(`There is no data folder ${data}: name it with --data.`);
  if (options['yes'] !== true) throw new UsageError(DOUBT);
  writeFileSync(join(data, MARK), '');
  const sentence = 'marked: start the node, and it takes the log as it is';
  context.out.result(`${context.out.good(sentence)}`, { data, adopt: true });
}

async function adoptOfCluster(context: Context, options: Options): Promise<void> {
  if (options['logRedis'] === undefined || options['guardRedis'] === undefined || options['data'] !== undefined)
    throw new UsageError('Give --log-redis and --guard-redis for a cluster, or --data for a node.');
  if (options['yes'] !== true) throw new UsageError(DOUBT);
  const text = async (name: string): Promise<string> => (await textOf(options[name] as string, context.stdin)).trim();
  const [logs, guard] = [await text('logRedis'), await text('guardRedis')];
  // Loaded on use: it is a part of the shard, and takes time that other commands need not spend.
  const { adoptRedisGuard } = await import('../../shard/operate/adopt-guard.ts');
  const bar = context.out.progress('adopting', 'enclaves');
  const allowUnsafe = options['allowUnsafeRedis'] === true;
  const onProgress = (enclaves: number): void => bar.update(enclaves, enclaves);
  const enclaves = await adoptRedisGuard({ logs, guard, allowUnsafe, onProgress }).finally(() => bar.stop());
  context.out.result(`${context.out.good('adopted')}  ${enclaves} enclaves: start the shards`, { enclaves });
}
