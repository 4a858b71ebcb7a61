import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { freePort } from '../../cluster/local/free-port.ts';
import { waitFor } from './wait-for.ts';

const START_MS = 20_000;
const RULES = fileURLToPath(new URL('../../helm/enc-node/files/rules/', import.meta.url));

/** false when Prometheus is here, else the sentence for `skip`. */
export const noPrometheus = (process.env['PATH'] ?? '')
  .split(delimiter)
  .some((at) => existsSync(join(at, 'prometheus')))
  ? false
  : 'prometheus is not installed (Debian: prometheus)';

export interface Target {
  readonly job: string;
  readonly instance: string;
  /** http://host:port of an operator port */
  readonly url: string;
}

/** One series of an answer: its labels and its value. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A real Prometheus on loopback, with the rules of the chart, that looks twice a second. Targets may be exchanged. */
export class Prometheus {
  readonly #folder: string;
  readonly #port: number;
  readonly #child: ChildProcess;
  #said = '';

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
    this.#child = spawn(
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-admin-api',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    running.add(this.#child);
    this.#child.stderr?.on('data', (text) => {
      this.#said = (this.#said + text).slice(-4096);
    });
    this.#child.once('error', () => {});
  }

  static async start(targets: readonly Target[]): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), 'enc-prometheus-'));
    const rules = readdirSync(RULES).map((name) => {
      const file = join(folder, name);
      const { groups } = parse(readFileSync(join(RULES, name), 'utf8')) as { groups: Record<string, unknown>[] };
      // Half a minute between two evaluations is right where there are days.
      writeFileSync(file, stringify({ groups: groups.map((group) => ({ ...group, interval: '500ms' })) }));
      return file;
    });
    const config = {
      global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
      rule_files: rules,
      scrape_configs: [...new Set(targets.map(({ job }) => job))].map((job) => ({
        job_name: job,
        file_sd_configs: [{ files: [join(folder, `${job}.json`)], refresh_interval: '1s' }],
      })),
    };
    writeFileSync(join(folder, 'prometheus.yaml'), stringify(config));
    writeTargets(folder, targets);
    const prometheus = new Prometheus(folder, await freePort());
    try {
      await waitFor('prometheus', START_MS, async () => (await prometheus.#ask('/-/ready')).ok);
    } catch (error) {
      await prometheus.stop();
      throw new Error(`prometheus did not start: ${prometheus.#said}`, { cause: error });
    }
    return prometheus;
  }

  /** Looks at these from now on; their jobs must be among the first ones. */
  target(targets: readonly Target[]): void {
    writeTargets(this.#folder, targets);
  }

  async query(expr: string): Promise<Sample[]> {
    const answer = await this.#ask(`/api/v1/query?${new URLSearchParams({ query: expr })}`);
    const body = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (body.status !== 'success') throw new Error(`${expr}: ${body.error}`);
    return body.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Forgets all that it has seen. */
  async forget(): Promise<void> {
    const all = new URLSearchParams({ 'match[]': '{__name__=~".+"}' });
    const answer = await this.#ask(`/api/v1/admin/tsdb/delete_series?${all}`, 'POST');
    if (!answer.ok) throw new Error(await answer.text());
  }

  async stop(): Promise<void> {
    running.delete(this.#child);
    if (this.#child.exitCode === null && this.#child.pid !== undefined) {
      const gone = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#child.kill('SIGKILL');
      await gone;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #ask(path: string, method = 'GET'): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#port}${path}`, { method, signal: AbortSignal.timeout(10_000) });
  }
}

function writeTargets(folder: string, targets: readonly Target[]): void {
  for (const [job, own] of Map.groupBy(targets, (target) => target.job))
    writeFileSync(
      join(folder, `${job}.json`),
      JSON.stringify(own.map(({ instance, url }) => ({ targets: [new URL(url).host], labels: { instance } }))),
    );
}
