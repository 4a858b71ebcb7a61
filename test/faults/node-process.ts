import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FaultPlan } from './fault-plan.ts';

const MAIN = fileURLToPath(new URL('../../shard/main.ts', import.meta.url));
const FAULTY_MAIN = fileURLToPath(new URL('node-main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A node that neither listens nor ends within this time hangs, ms. */
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 30_000;

export interface NodeOptions {
  readonly data: string;
  /** further flags of shard/main.ts */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** without a plan it is the product's own entry */
  readonly plan?: FaultPlan;
}

export interface Launch {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly ready: RegExp;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The node did not come up: how it ended, and what it said. */
export class DidNotStart extends Error {
  readonly ended: Ended;
  readonly said: string;

  constructor(ended: Ended, said: string) {
    super(`the node did not start (${ended.signal ?? `exit ${ended.code}`}): ${said.trim().split('\n').at(-1) ?? ''}`);
    this.ended = ended;
    this.said = said;
  }
}

const running = new Set<ChildProcess>();
// Whatever ends the tests, no node stays behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One life of a real node process. */
export class NodeProcess {
  readonly url: string;
  readonly operatorUrl: string;
  /** resolves when the process is gone */
  readonly ended: Promise<Ended>;
  frozen = false;
  readonly #child: ChildProcess;
  readonly #said: string[];

  private constructor(child: ChildProcess, url: string, operatorUrl: string, ended: Promise<Ended>, said: string[]) {
    this.#child = child;
    this.url = url;
    this.operatorUrl = operatorUrl;
    this.ended = ended;
    this.#said = said;
  }

  /** Starts a node and waits until it listens. Throws DidNotStart. */
  static start(options: NodeOptions): Promise<NodeProcess> {
    const { plan } = options;
    return NodeProcess.launch({
      args: [
        plan ? FAULTY_MAIN : MAIN,
        ...['--data', options.data, '--port', '0', '--ops-port', '0', '--log-level', 'info', '--crypto-workers', '1'],
        ...(options.flags ?? []),
      ],
      env: { ...options.env, ...(plan ? { ENC_FAULT: JSON.stringify(plan) } : {}) },
      ready: /^(?:listening|shard \d+) on (\S+)$/m,
    });
  }

  /** Any process of ours that says where it listens: `ready` finds the address in its output. Throws DidNotStart. */
  static async launch({ args, env, ready }: Launch): Promise<NodeProcess> {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    running.add(child);
    child.once('close', () => running.delete(child));
    const said: string[] = [];
    const ended = new Promise<Ended>((resolve) => {
      child.on('close', (code, signal) => resolve({ code, signal }));
      child.on('error', (error) => {
        said.push(String(error));
        resolve({ code: -1, signal: null });
      });
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => said.push(text));
    const listening = new Promise<[string, string]>((resolve) => {
      let out = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        said.push(text);
        out += text;
        const url = ready.exec(out)?.[1];
        if (url) resolve([url, /^operator port on (\S+)$/m.exec(out)?.[1] ?? '']);
      });
    });
    const deadline = setTimeout(() => child.kill('SIGKILL'), START_DEADLINE_MS);
    const first = await Promise.race([listening, ended]);
    clearTimeout(deadline);
    if (!Array.isArray(first)) throw new DidNotStart(first, said.join(''));
    return new NodeProcess(child, first[0], first[1], ended, said);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** all that it wrote to its standard streams so far */
  get said(): string {
    return this.#said.join('');
  }

  /** SIGSTOP: it keeps its connections and does nothing, until `thaw`. */
  freeze(): void {
    this.frozen = true;
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.frozen = false;
    this.#child.kill('SIGCONT');
  }

  /** Its clock jumps by what its plan says (FaultPlan.jump). */
  jump(): void {
    this.#child.kill('SIGUSR2');
  }

  /** kill -9, by process id; resolves when it is gone. */
  async kill(): Promise<Ended> {
    this.#child.kill('SIGKILL');
    return this.ended;
  }

  /** SIGTERM; a node that does not drain in time is killed, which `signal` then says. */
  async stop(): Promise<Ended> {
    this.#child.kill('SIGTERM');
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), STOP_DEADLINE_MS);
    const ended = await this.ended;
    clearTimeout(deadline);
    return ended;
  }

  metrics(ms = 10_000): Promise<string> {
    return fetch(`${this.operatorUrl}/metrics`, { signal: AbortSignal.timeout(ms) }).then((answer) => answer.text());
  }
}
