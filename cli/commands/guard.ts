import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { CliModules } from '../context.ts';
import { UsageError } from '../failures.ts';
import { command, run } from '../options.ts';

/** Read by the node's next start (shard/shard.ts). */
const MARK = 'guard.adopt';

/** `enc admin guard`: the operator's word about the release guard of a node on this machine. */
export function guardCommands(modules: CliModules): Command {
  const group = new Command('guard').description('the release guard of a node on this machine');
  group.addCommand(
    command('adopt', 'let the next start take log/ as complete and make new watermarks (when guard/ is lost)')
      .option('--data <folder>', "the node's data folder (default: ENC_DATA, or ./data)")
      .option('--yes', 'yes, log/ is the live one and no older copy of it')
      .action(
        run(modules, async (context, options) => {
          const data = (options['data'] as string | undefined) ?? context.config.data;
          if (!existsSync(data)) throw new UsageError(`There is no data folder ${data}: name it with --data.`);
          if (options['yes'] !== true) {
            throw new UsageError(
              'Adopting a guard trusts log/ as it is: events that an older copy lacks would be signed anew. ' +
                'If log/ is the live one, say so with --yes.',
            );
          }
          writeFileSync(join(data, MARK), '');
          const sentence = 'marked: start the node, and it takes the log as it is';
          context.out.result(`${context.out.good(sentence)}`, { data, adopt: true });
        }),
      ),
  );
  return group;
}
