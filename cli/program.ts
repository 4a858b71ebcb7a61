import { Command } from 'commander';
import { adminCommands } from './commands/admin.ts';
import { auditCommands } from './commands/audit.ts';
import { commitCommand } from './commands/commit.ts';
import { enclaveCommands } from './commands/enclave.ts';
import { keyCommands } from './commands/key.ts';
import { readCommands } from './commands/read.ts';
import { snapshotCommands } from './commands/snapshot.ts';
import { testCommand } from './commands/test.ts';
import type { CliModules } from './context.ts';

const AFTER = `
Environment: ENC_REMOTE (the node), ENC_KEY (the key), ENC_ADMIN_TOKEN, NO_COLOR.
Exit codes: 0 done, 1 refused or not verified, 2 wrong use, 3 no node reached.

First steps:
  enc key new
  enc enclave create --template personal
  enc commit <enclave> note --content '{"text":"hello"}'
  enc pull <enclave>
  enc verify <enclave>`;

/** The whole command line. Throws CommanderError instead of exiting. */
export function program(modules: CliModules, version: string): Command {
  const root = new Command('enc')
    .description('Enclaves from the command line: append-only, signed logs. Every answer of the node is checked.')
    .version(version)
    .addHelpText('after', AFTER)
    .showHelpAfterError('Use --help to see how.');
  const commands = [
    keyCommands(modules),
    enclaveCommands(modules),
    commitCommand(modules),
    ...readCommands(modules),
    ...auditCommands(modules),
    ...snapshotCommands(modules),
    testCommand(modules),
    adminCommands(modules),
  ];
  for (const one of commands) root.addCommand(one);
  silence(root, modules);
  return root;
}

/** Errors are thrown to main.ts, which prints them in one way; help and version go to the given streams. */
function silence(command: Command, modules: CliModules): void {
  command.exitOverride();
  command.configureOutput({
    writeOut: (text) => void modules.streams.out.write(text),
    writeErr: (text) => void modules.streams.err.write(text),
    outputError: () => {},
  });
  for (const child of command.commands) silence(child, modules);
}
