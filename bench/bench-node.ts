import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { NODE_ARGS } from '../cluster/local/node-args.ts';

export interface BenchNode {
  readonly url: string;
  readonly operatorUrl: string;
  readonly pid: number;
  readonly data: string;
  /** what the process writes to file descriptor 3 (heap-probe.ts) */
  readonly probe: Readable;
  /** SIGTERM and wait; the data folder stays for the next start unless `remove`. */
  stop(remove?: boolean): Promise<void>;
}

const ROOT = new URL('..', import.meta.url).pathname;
const NODE = 'shard/main.ts';
const START_MS = 20_000;

/** Runs the node as a process of its own on free ports, with a data folder in the temporary directory. */
export async function startNode(
  env: Readonly<Record<string, string>> = {},
  data = mkdtempSync(join(tmpdir(), 'enc-bench-')),
  nodeArgs: readonly string[] = [],
  entry = join(ROOT, NODE),
): Promise<BenchNode> {
  const child = spawn(
    process.execPath,
    [...(NODE_ARGS[NODE] ?? []), ...nodeArgs, entry, '--port', '0', '--data', data],
    {
      env: { ...process.env, ENC_LOG_LEVEL: 'warn', ...env },
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    },
  );
  // A bench that fails must not leave its node behind.
  const abandon = (): void => void child.kill('SIGKILL');
  process.once('exit', abandon);
  const out = await firstLines(child);
  const url = /listening on (\S+)/.exec(out)?.[1];
  const operatorUrl = /operator port on (\S+)/.exec(out)?.[1] ?? '';
  if (!url || child.pid === undefined) throw new Error(`the node did not start: ${out}`);
  return {
    url,
    operatorUrl,
    pid: child.pid,
    data,
    probe: child.stdio[3] as Readable,
    async stop(remove = true) {
      process.off('exit', abandon);
      if (child.exitCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
      if (remove) rmSync(data, { recursive: true, force: true });
    },
  };
}

function firstLines(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = '';
    const timer = setTimeout(() => reject(new Error('the node did not listen in time')), START_MS);
    child.stdout?.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (!out.includes('listening on')) return;
      clearTimeout(timer);
      resolve(out);
    });
    child.once('exit', (code) => reject(new Error(`the node ended with ${code}: ${out}`)));
  });
}
