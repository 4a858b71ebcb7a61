import type { Command } from 'commander';
import type { CliModules } from '../context.ts';
import { Failed } from '../failures.ts';
import { textOf } from '../input.ts';
import { command, run } from '../options.ts';

/** `enc admin move-logs`: another list of log servers for a cluster whose shards are stopped. */
export function moveLogsCommand(modules: CliModules): Command {
  return command('move-logs', 'move enclaves when the list of log servers changes (stop all shards first)')
    .requiredOption('--before <urls>', 'ENC_LOG_REDIS as it was; @file keeps passwords off the command line')
    .requiredOption('--after <urls>', 'ENC_LOG_REDIS as it is to be')
    .option('--allow-unsafe-redis', 'as ENC_ALLOW_UNSAFE_REDIS=yes')
    .action(
      run(modules, async (context, options) => {
        const list = async (name: string): Promise<string> =>
          (await textOf(options[name] as string, context.stdin)).trim();
        const [before, after] = [await list('before'), await list('after')];
        // Loaded on use: it is a part of the shard, and takes time that other commands need not spend.
        const { moveLogs } = await import('../../shard/operate/move-logs.ts');
        const bar = context.out.progress('moving', 'enclaves');
        const { signal } = context;
        const allowUnsafe = options['allowUnsafeRedis'] === true;
        const onProgress = (moved: number): void => bar.update(moved, moved);
        const moved = await moveLogs({ before, after, allowUnsafe, onProgress, signal }).finally(() => bar.stop());
        if (signal.aborted) throw new Failed('stopped; call it again with the same lists to go on');
        context.out.result(
          `${context.out.good('moved')}  ${moved.enclaves} enclaves, ${moved.keys} rows of keys`,
          moved,
        );
      }),
    );
}
