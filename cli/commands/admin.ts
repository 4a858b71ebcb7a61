import { Readable } from 'node:stream';
import { Command } from 'commander';
import { EncClient } from '../../client/client.ts';
import { type CliModules, type Context, checkId } from '../context.ts';
import { UsageError } from '../failures.ts';
import { textOf } from '../input.ts';
import { command, hex32, run } from '../options.ts';
import { guardCommands } from './guard.ts';
import { importCommand } from './import.ts';
import { moveLogsCommand } from './move-logs.ts';
import { upload } from './snapshot.ts';
import { topologyCommands } from './topology.ts';

/** `enc admin`: calls for operators. */
export function adminCommands(modules: CliModules): Command {
  const group = new Command('admin').description('calls for operators (they need the admin token)');
  group.addCommand(
    command('close-bundle', 'close the open bundle now', ['node', 'trust', 'admin'])
      .argument('<enclave>', 'its id')
      .action(
        run(modules, async (context, options, id: string) => {
          const client = await context.client();
          const enclave = client.enclave(checkId(id), { sequencer: options['sequencer'] as string | undefined });
          const sth = await client.admin(context.token).closeBundle(enclave);
          context.out.result(`${context.out.good('closed')}  ${sth.ts} bundles, root ${sth.r}`, sth);
        }),
      ),
  );
  group.addCommand(
    command('recover', "put events that an enclave's log lost back from a copy", ['node', 'key', 'admin'])
      .argument('<enclave>', 'its id')
      .option('--snapshot <file>', 'a snapshot of it, or its events as JSON lines (`enc pull --json`)')
      .option('--from-url <url>', 'another node that has a copy')
      .option('--from-token <token>', "that node's admin token")
      .option('--pull', 'ask that node as a reader: --key must be able to read everything, no token is needed')
      .action(
        run(modules, async (context, options, id: string) => {
          const file = options['snapshot'] as string | undefined;
          const url = options['fromUrl'] as string | undefined;
          if ((file === undefined) === (url === undefined))
            throw new UsageError('Give either --snapshot FILE or --from-url URL.');
          const client = await context.client();
          let body: ReadableStream<Uint8Array>;
          if (file !== undefined) body = await upload(context, file);
          else body = await copyFrom(context, url as string, checkId(id), options);
          const answer = await client.admin(context.token).recover(checkId(id), body, { signal: context.signal });
          const { changed } = answer as { changed?: boolean };
          const said = changed === false ? 'nothing to recover: it is whole' : 'recovered';
          context.out.result(`${context.out.good(said)}  ${id}`, { enclave: id, answer });
        }),
      ),
  );
  group.addCommand(
    command('init-with-priv', 'provision an enclave id with a sequencer key of your own', ['node', 'admin'])
      .argument('<enclave>', 'the id to provision')
      .requiredOption('--secret <@file>', 'a file with the secret key in 64 hex digits; @- for standard input')
      .option('--creator <hex>', 'who may send the Manifest (else it needs the admin token)', hex32)
      .action(
        run(modules, async (context, options, id: string) => {
          const given = options['secret'] as string;
          if (!given.startsWith('@'))
            throw new UsageError('Give the secret as @file or @-: others on this machine can see a command line.');
          const secret = (await textOf(given, context.stdin)).trim();
          if (!/^[0-9a-f]{64}$/.test(secret)) throw new UsageError('A secret key has 64 lower-case hex digits.');
          const admin = (await context.client()).admin(context.token);
          const sequencer = await admin.initWithPriv(checkId(id), secret, options['creator'] as string | undefined);
          context.out.result(`${context.out.good('provisioned')}  its sequencer is ${sequencer}`, {
            enclave: id,
            sequencer,
          });
        }),
      ),
  );
  group.addCommand(guardCommands(modules));
  group.addCommand(topologyCommands(modules));
  group.addCommand(moveLogsCommand(modules));
  group.addCommand(importCommand(modules));
  return group;
}

/** A copy of the enclave on another node: its snapshot, or what a reader can pull there. */
async function copyFrom(
  context: Context,
  url: string,
  id: string,
  options: Record<string, unknown>,
): Promise<ReadableStream<Uint8Array>> {
  const other = new EncClient(url, { secp: await context.secp() });
  if (options['pull'] !== true)
    return other.admin(options['fromToken'] as string | undefined).snapshot(id, context.signal);
  const copy = other.enclave(id, { key: await context.key() }).copy(context.signal);
  return Readable.toWeb(Readable.from(copy)) as unknown as ReadableStream<Uint8Array>;
}
