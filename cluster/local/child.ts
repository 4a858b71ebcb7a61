import { type ChildProcess, spawn } from 'node:child_process';

/** A part that is not ready within this time does not come up, ms. */
const READY_MS = 60_000;
/** A part that does not end within this time is killed, ms. */
const STOP_MS = 20_000;
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;
/** A part that has run for this long starts with the first back-off again, ms. */
const STEADY_MS = 10_000;

export interface Part {
  /** what it is called in messages, such as "shard 1" */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** the line of its standard output that says that it is ready, and what to say of it then */
  readonly ready: RegExp;
  readonly describe: (output: string) => string;
}

/**
 * One part of the cluster, a process of its own: started, started again when it dies, and ended. It runs in a process
 * group of its own, so that Ctrl-C in a terminal reaches only whoever started the parts, and ends them in order.
 */
export class Child {
  readonly #part: Part;
  readonly #say: (line: string) => void;
  readonly #respawn: boolean;
  #process: ChildProcess | null = null;
  #stopping = false;
  #backoff = FIRST_BACKOFF_MS;
  #restart: NodeJS.Timeout | null = null;

  /** `respawn: false`: once it was ready, it stays dead until `start` is called again. */
  constructor(part: Part, say: (line: string) => void, respawn = true) {
    this.#part = part;
    this.#say = say;
    this.#respawn = respawn;
  }

  get name(): string {
    return this.#part.name;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves when it is ready. Rejects with its last words if it does not come up; from then on it is not tried again. */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      let ready = false;
      this.#spawn(
        () => {
          ready = true;
          resolve();
        },
        (why) => {
          if (ready && this.#respawn) return this.#again(why);
          if (ready) return this.#say(`${this.#part.name} ended (${why})`);
          this.#stopping = true;
          reject(new Error(`${this.#part.name} did not start: ${why}`));
        },
      );
    });
  }

  /** SIGTERM, and SIGKILL if it takes too long. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#restart) clearTimeout(this.#restart);
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await gone;
    clearTimeout(late);
  }

  /** Ends it in order and starts it again; resolves when it is ready. */
  async restart(): Promise<void> {
    await this.stop();
    this.#stopping = false;
    await this.start();
  }

  kill(): void {
    this.#stopping = true;
    this.#process?.kill('SIGKILL');
  }

  #spawn(onReady: () => void, onEnd: (why: string) => void): void {
    const { name, command, args, env, ready, describe } = this.#part;
    const began = performance.now();
    // The channel says nothing; it breaks when this process is killed, and the part ends with it.
    const child = spawn(command, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
    this.#process = child;
    const late = setTimeout(() => child.kill('SIGKILL'), READY_MS);
    let out = '';
    let last = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (ready.test(out)) return;
      out = (out + text).slice(-65_536);
      if (!ready.test(out)) return;
      clearTimeout(late);
      this.#say(`${name}: ${describe(out)}`);
      onReady();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      last = text.trim().split('\n').at(-1) ?? last;
      process.stderr.write(text);
    });
    child.stdin?.on('error', () => {});
    child.on('error', (error) => {
      last = error.message;
    });
    child.once('close', (code, signal) => {
      clearTimeout(late);
      if (performance.now() - began > STEADY_MS) this.#backoff = FIRST_BACKOFF_MS;
      if (!this.#stopping) onEnd(`${signal ?? `exit ${code}`}${last ? `, ${last}` : ''}`);
    });
  }

  #again(why: string): void {
    this.#say(`${this.#part.name} ended (${why}); starting it again`);
    this.#restart = setTimeout(
      () =>
        this.#spawn(
          () => {},
          (reason) => this.#again(reason),
        ),
      this.#backoff,
    );
    this.#backoff = Math.min(this.#backoff * 2, MAX_BACKOFF_MS);
  }
}
