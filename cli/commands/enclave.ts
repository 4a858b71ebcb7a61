import { Command } from 'commander';
import type { CliModules } from '../context.ts';
import { UsageError } from '../failures.ts';
import { jsonOf } from '../input.ts';
import { command, many, run, tag } from '../options.ts';
import { TEMPLATES } from '../templates.ts';

/** `enc enclave`: found one, look at one. */
export function enclaveCommands(modules: CliModules): Command {
  const group = new Command('enclave').description('create enclaves and look at them');
  group.addCommand(
    command('create', 'create an enclave from a Manifest or a template', ['node', 'key'])
      .option('--manifest <file>', 'a file with the Manifest as JSON; - for standard input')
      .option('--template <name>', `one of: ${Object.keys(TEMPLATES).join(', ')}`)
      .option('--tag <a=b>', 'a tag of the Manifest; repeat for more', many(tag))
      .option(
        '--no-name-sequencer',
        'leave the sequencer out of the Manifest (readers must then trust the first they see)',
      )
      .option('--no-nonce', 'add no nonce: the same key and Manifest is then the same enclave')
      .action(
        run(modules, async (context, options) => {
          const key = await context.key();
          const manifest = await manifestFrom(options, key.id, context.stdin);
          const { enclave, receipt } = await (await context.client()).create(key, manifest, {
            tags: options['tag'] as string[][] | undefined,
            nameSequencer: options['nameSequencer'] as boolean,
            nonce: options['nonce'] as boolean,
            signal: context.signal,
          });
          context.out.note(`Created; its sequencer is ${receipt.sequencer}.`);
          context.out.result(enclave.id, { enclave: enclave.id, receipt });
        }),
      ),
  );
  group.addCommand(
    command('info', 'show the head, status and settings of an enclave', ['node', 'trust'])
      .argument('<enclave>', 'its id')
      .action(
        run(modules, async (context, _options, id: string) => {
          const enclave = await context.publicEnclave(id);
          const info = await enclave.info();
          const sth = await enclave.sth();
          const rows: [string, unknown][] = [
            ['enclave', info.enclave],
            ['status', info.status],
            ['head', `event ${info.head}, ${new Date(info.timestamp).toISOString()}`],
            ['bundles', `${sth.ts} closed (size ${info.bundle.size}, timeout ${info.bundle.timeout} ms)`],
            ['root', sth.r],
            ['sequencer', `${info.sequencer} (${SOURCES[enclave.trust.source ?? 'first-seen']})`],
            ['manifest', info.manifest],
          ];
          context.out.result(rows.map(([name, value]) => `${context.out.dim(name.padEnd(10))} ${value}`).join('\n'), {
            ...info,
            sth,
            sequencer_source: enclave.trust.source,
          });
        }),
      ),
  );
  return group;
}

const SOURCES = {
  manifest: 'named by the Manifest',
  caller: 'named by you',
  'first-seen': 'the first one seen',
} as const;

async function manifestFrom(
  options: Record<string, unknown>,
  owner: string,
  stdin: NodeJS.ReadStream,
): Promise<Record<string, unknown>> {
  const file = options['manifest'] as string | undefined;
  const template = options['template'] as string | undefined;
  if ((file === undefined) === (template === undefined))
    throw new UsageError('Give either --manifest FILE or --template NAME.');
  if (template !== undefined) {
    const make = TEMPLATES[template];
    if (!make)
      throw new UsageError(`There is no template "${template}". There are: ${Object.keys(TEMPLATES).join(', ')}.`);
    return make(owner);
  }
  const manifest = await jsonOf(`@${file}`, stdin);
  if (typeof manifest !== 'object' || manifest === null || Array.isArray(manifest))
    throw new UsageError('A Manifest is a JSON object.');
  return manifest as Record<string, unknown>;
}
