import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { killAll, until } from './command.ts';
import type { HammerReport } from './verdict.ts';

const ENTRY = fileURLToPath(new URL('../../bench/hammer/main.ts', import.meta.url));
/** Enclaves are founded first, while everything else on this machine has just started. */
const BEGIN_MS = 90_000;
const STEADY_MS = 90_000;
/** It has not been ended by then: something hangs. */
const LONGEST_S = 3600;
/** Outcomes, closing of bundles, reading everything back. */
const SETTLE_S = 180;

export interface Load {
  readonly url: string;
  /** commits per second */
  readonly rate: number;
  readonly enclaves: number;
}

/** The hammer (`npm run hammer`), running in the background while things are done to the cluster. */
export class Hammer {
  readonly #child: ChildProcess;
  readonly #load: Load;
  readonly #json: string;
  readonly #marks: string;
  #said = '';
  #ended = false;

  /** `inside`: the command line that reaches the cluster; `folder`: where its files go. Nothing is done yet when this returns. */
  constructor(load: Load, inside: (argv: readonly string[]) => readonly string[], folder: string) {
    this.#load = load;
    this.#json = join(folder, 'hammer.json');
    this.#marks = join(folder, 'marks.jsonl');
    // Those of an earlier run would count as this one's.
    for (const file of [this.#json, this.#marks]) rmSync(file, { force: true });
    const flags = {
      '--url': load.url,
      '--rate': String(load.rate),
      '--enclaves': String(load.enclaves),
      '--duration': `${LONGEST_S}s`,
      '--settle': `${SETTLE_S}s`,
      '--json': this.#json,
      '--html': join(folder, 'hammer.html'),
      '--marks': this.#marks,
    };
    const argv = inside([process.execPath, ENTRY, ...Object.entries(flags).flat()]);
    this.#child = spawn(argv[0]!, argv.slice(1), { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
    this.#child.on('error', (error) => {
      this.#said += error.message;
    });
    // Of the streams, not of the first process: what it started may run for longer.
    this.#child.on('close', () => {
      this.#ended = true;
    });
  }

  /** Resolves when commits are acknowledged for the first time. */
  async begun(signal: AbortSignal): Promise<void> {
    await this.#acknowledging(0, 1, BEGIN_MS, signal);
  }

  /** Resolves when, from now on, the cluster acknowledges again as much as is offered, nearly. */
  async steady(signal: AbortSignal): Promise<void> {
    await this.#acknowledging(this.#said.length, this.#load.rate * 0.8, STEADY_MS, signal);
  }

  /** For the report: what was done from `at` (Unix ms) until now. */
  mark(at: number, label: string): void {
    appendFileSync(this.#marks, `${JSON.stringify({ at, label, until: Date.now() })}\n`);
  }

  /** Ends the load; resolves to what it found when it has read everything back. */
  async judge(signal: AbortSignal): Promise<HammerReport> {
    killAll(this.#child, 'SIGTERM');
    await until('the verdict of the hammer', (SETTLE_S + 60) * 1000, async () => this.#ended || undefined, signal);
    if (!existsSync(this.#json)) throw new Error(`the hammer ended without a report:\n  ${this.#lastWords()}`);
    return JSON.parse(readFileSync(this.#json, 'utf8')) as HammerReport;
  }

  kill(): void {
    if (!this.#ended) killAll(this.#child, 'SIGKILL');
  }

  /** A line every five seconds says how many were acknowledged per second. */
  async #acknowledging(from: number, least: number, deadline: number, signal: AbortSignal): Promise<void> {
    await until(
      `${least} commits per second`,
      deadline,
      async () => {
        const rates = [...this.#said.slice(from).matchAll(/acknowledged ([\d,]+)\/s/g)];
        if (rates.some(([, rate = '']) => Number(rate.replaceAll(',', '')) >= least)) return true;
        if (this.#ended) throw new Error(`the hammer ended:\n  ${this.#lastWords()}`);
        return undefined;
      },
      signal,
    );
  }

  #lastWords(): string {
    return this.#said.trimEnd().split('\n').slice(-8).join('\n  ');
  }
}
