import { type ChildProcess, spawn } from 'node:child_process';

export interface CommandOptions {
  /** ms; then it is killed with all that it started, and the call rejects */
  readonly deadline: number;
  /** its standard input; default: none */
  readonly input?: string;
  readonly cwd?: string;
  /** ends it early */
  readonly signal?: AbortSignal | undefined;
}

/** Lines of a failed command's output that are worth showing. */
const SHOWN = 12;

/** Runs a command; resolves to its standard output. Rejects with its last words if it fails or takes too long. */
export function command(argv: readonly string[], options: CommandOptions): Promise<string> {
  const { deadline, input = '', cwd, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(reason(signal));
    const child = spawn(argv[0]!, argv.slice(1), { cwd, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let said = '';
    let why = '';
    const end = (reason: string): void => {
      why ||= reason;
      killAll(child, 'SIGKILL');
    };
    const late = setTimeout(() => end(`took more than ${deadline / 1000} s`), deadline);
    const aborted = (): void => end('was stopped');
    signal?.addEventListener('abort', aborted);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      said = (said + text).slice(-65_536);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-65_536);
    });
    child.stdin.on('error', () => {}); // it need not read what it is given
    child.stdin.end(input);
    child.on('error', (error) => {
      why ||= error.message;
    });
    child.on('close', (code, killed) => {
      clearTimeout(late);
      signal?.removeEventListener('abort', aborted);
      if (code === 0 && !why) return resolve(out);
      const last = said.trimEnd().split('\n').slice(-SHOWN).join('\n  ');
      reject(
        new Error(`${argv.slice(0, 6).join(' ')}: ${why || killed || `exit ${code}`}${last ? `\n  ${last}` : ''}`),
      );
    });
  });
}

/** Signals a process that was started detached, and everything that it started. */
export function killAll(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Asks until the answer is there. Rejects after `deadline` ms, with the last error if there was one. */
export async function until<T>(
  what: string,
  deadline: number,
  ask: () => Promise<T | undefined>,
  signal?: AbortSignal,
): Promise<T> {
  const end = Date.now() + deadline;
  let last = '';
  while (!signal?.aborted) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() > end) throw new Error(`${what}: not after ${deadline / 1000} s${last ? ` (${last})` : ''}`);
    await pause(300);
  }
  throw reason(signal);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const reason = (signal: AbortSignal): Error => (signal.reason instanceof Error ? signal.reason : new Error('stopped'));
