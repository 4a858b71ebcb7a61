import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { configFrom } from './context.ts';
import { describe, EXIT } from './failures.ts';
import { program } from './program.ts';
import { fastestSecp } from './secp.ts';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('stopped')));
process.once('SIGTERM', () => stop.abort(new Error('stopped')));
// A reader that goes away (enc pull | head) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const config = configFrom(process.env);
const streams = { out: process.stdout, err: process.stderr };
const root = program({ config, streams, stdin: process.stdin, secp: fastestSecp, signal: stop.signal }, version);

try {
  await root.parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help'))
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (stop.signal.aborted) return 130;
  const { code, message, fields, exit } = describe(error);
  if (process.argv.includes('--json'))
    process.stderr.write(`${JSON.stringify({ error: { code, message, ...(fields ? { fields } : {}) } })}\n`);
  else process.stderr.write(`enc: ${message.replace(/^error: /, '')}\n`);
  if (process.env['ENC_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return exit;
}
