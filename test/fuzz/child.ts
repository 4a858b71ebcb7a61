import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../shard/main.ts', import.meta.url));

/** How a start went: the node serves, or it ended with a code or a signal, and what it said. */
export type Started =
  | { readonly kind: 'serves'; readonly node: ChildNode }
  | { readonly kind: 'ended'; readonly code: number | null; readonly signal: string | null; readonly said: string };

/** A node in its own process, so that whatever happens to it is seen from outside. */
export class ChildNode {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #said: () => string;
  #ended: string | null = null;

  private constructor(url: string, child: ChildProcess, said: () => string) {
    this.url = url;
    this.#process = child;
    this.#said = said;
    child.on('exit', (code, signal) => {
      this.#ended = `exit ${code ?? signal}: ${said().slice(-500)}`;
    });
  }

  static start(data: string, flags: readonly string[] = [], deadlineMs = 30_000): Promise<Started> {
    const args = [
      MAIN,
      '--data',
      data,
      '--port',
      '0',
      '--ops-port',
      'off',
      '--log-level',
      'error',
      '--crypto-workers',
      '1',
      ...flags,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`the node neither serves nor ends: ${said.slice(-500)}`));
      }, deadlineMs);
      const ended = (code: number | null, signal: string | null): void => {
        clearTimeout(late);
        resolve({ kind: 'ended', code, signal, said });
      };
      child.once('exit', ended);
      const hear = (chunk: Buffer): void => {
        said = (said + chunk.toString('utf8')).slice(-20_000);
        const url = /^listening on (\S+)$/m.exec(said)?.[1];
        if (!url) return;
        clearTimeout(late);
        child.off('exit', ended);
        resolve({ kind: 'serves', node: new ChildNode(url, child, () => said) });
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
    });
  }

  /** Why it is gone, null while it runs. */
  get ended(): string | null {
    return this.#ended;
  }

  get said(): string {
    return this.#said();
  }

  /** Resident memory in bytes; 0 where the system does not tell. */
  get memory(): number {
    try {
      const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
    } catch {
      return 0;
    }
  }

  /** SIGTERM, and SIGKILL if it does not go. Resolves with the exit code. */
  stop(): Promise<number | null> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null)
      return Promise.resolve(this.#process.exitCode);
    return new Promise((resolve) => {
      const late = setTimeout(() => this.#process.kill('SIGKILL'), 15_000);
      this.#process.once('exit', (code) => {
        clearTimeout(late);
        resolve(code);
      });
      this.#process.kill('SIGTERM');
    });
  }
}
