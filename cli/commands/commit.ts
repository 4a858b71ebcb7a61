import type { Command } from 'commander';
import type { CliModules } from '../context.ts';
import { UsageError } from '../failures.ts';
import { jsonOf } from '../input.ts';
import { command, many, run, tag } from '../options.ts';

/** `enc commit`: sign, send until the outcome is known, check the receipt. */
export function commitCommand(modules: CliModules): Command {
  return command('commit', 'commit an event of any type', ['node', 'key', 'trust'])
    .argument('<enclave>', 'its id')
    .argument('<type>', 'the event type, such as note, Move or Shared')
    .option('--content <json>', 'the content as JSON; @file or @- for standard input', '{}')
    .option('--tag <a=b>', 'a tag; repeat for more', many(tag))
    .option(
      '--exp <when>',
      'how long the commit may be accepted: seconds from now (default 120), or a time in Unix ms',
      expiry,
    )
    .option('--alg <name>', 'schnorr (default) or ecdsa')
    .action(
      run(modules, async (context, options, id: string, type: string) => {
        const alg = options['alg'] as 'schnorr' | 'ecdsa' | undefined;
        if (alg !== undefined && alg !== 'schnorr' && alg !== 'ecdsa')
          throw new UsageError('--alg is schnorr or ecdsa.');
        const content = await jsonOf(options['content'] as string, context.stdin);
        const enclave = await context.enclave(id);
        const receipt = await enclave.commit(type, content, {
          tags: options['tag'] as string[][] | undefined,
          exp: (options['exp'] as (() => number) | undefined)?.(),
          alg,
          signal: context.signal,
        });
        context.out.result(`${context.out.good('accepted')}  event ${receipt.seq}  ${receipt.id}`, receipt);
      }),
    );
}

/** Small numbers are seconds from now, large ones are Unix ms. */
function expiry(text: string): () => number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(n))
    throw new UsageError('--exp is a number of seconds, or a time in Unix milliseconds.');
  return () => (n < 1e9 ? Date.now() + n * 1000 : n);
}
