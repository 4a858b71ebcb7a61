import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Command, InvalidArgumentError, Option } from 'commander';
import { EXP_WINDOW } from '../protocol/limits.ts';
import { serveCorpus } from './corpus-server.ts';
import { CorpusSource, writeCorpus } from './corpus-source.ts';

/** The clocks of this machine and the node may differ by so much, ms. */
const CLOCKS_MS = 10_000;

interface Flags {
  readonly enclaves: number;
  readonly one?: true;
  readonly commits: number;
  readonly out: string;
  readonly serve?: { readonly host: string; readonly port: number };
  readonly window: number;
}

/** `npm run bench -- corpus`: signed commits for the k6 scripts, in a file or over HTTP. */
export function corpusCommand(): Command {
  return new Command('corpus')
    .description(
      'Signs commits for the k6 scripts (bench/k6/README.md), for enclaves that the scripts found by the Manifests in it.',
    )
    .option('--enclaves <n>', 'enclaves that the commits go to in turn', whole, 1000)
    .addOption(new Option('--one', 'one enclave with 1,000 authors instead').conflicts('enclaves'))
    .option('--commits <n>', 'commits in the file', whole, 60_000)
    .option('--out <file>', 'file to write', 'corpus.ndjson')
    .addOption(
      new Option(
        '--serve <[host:]port>',
        'serve commits that are signed when asked for, without end, instead of a file',
      )
        .argParser(address)
        .conflicts(['commits', 'out']),
    )
    .option(
      '--window <ms>',
      "the node's ENC_EXP_WINDOW_MS: for how long a signed commit can be good",
      whole,
      EXP_WINDOW,
    )
    .action(run);
}

async function run(flags: Flags, command: Command): Promise<void> {
  if (flags.window <= 2 * CLOCKS_MS) command.error(`error: --window must be above ${2 * CLOCKS_MS} ms`);
  const source = await CorpusSource.open(flags.one ? 1 : flags.enclaves);
  const lifetime = flags.window - CLOCKS_MS;
  const enclaves = flags.one ? 'one enclave' : `${flags.enclaves.toLocaleString('en')} enclaves`;
  if (flags.serve) {
    const server = await serveCorpus(source, flags.serve, lifetime).catch((error: Error) =>
      command.error(`error: ${error.message}`),
    );
    const { address, port } = server.address() as AddressInfo;
    console.log(`commits for ${enclaves} on http://${address.includes(':') ? `[${address}]` : address}:${port}`);
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
    server.close();
    server.closeAllConnections();
    return;
  }
  const exp = Date.now() + lifetime;
  await writeCorpus(flags.out, source, flags.commits, exp);
  const seconds = Math.floor((exp - Date.now()) / 1000);
  const until = new Date(exp).toISOString().slice(11, 19);
  console.log(
    `${flags.commits.toLocaleString('en')} commits for ${enclaves} in ${flags.out}, good until ${until} UTC (${seconds} s)`,
  );
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

function address(text: string): { host: string; port: number } {
  const [, host = '127.0.0.1', port] = /^(?:(.+):)?(\d+)$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) throw new InvalidArgumentError('It must be a port or host:port.');
  return { host, port: Number(port) };
}
