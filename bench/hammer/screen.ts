import { clearScreenDown, moveCursor } from 'node:readline';
import type { Sight } from './hammer.ts';
import { addAll, latencyOf, type Second } from './series.ts';

export interface Screen {
  show(sight: Sight): void;
  /** Leaves what is shown, and writes below it from now on. */
  end(): void;
}

const PHASES = {
  load: 'writing and reading',
  outcomes: 'waiting for outcomes',
  reading: 'reading everything back',
  done: 'done',
} as const;

/** Lines that are drawn over again on a terminal, one line every few seconds elsewhere. */
export function makeScreen(out: NodeJS.WriteStream): Screen {
  return out.isTTY ? new Live(out) : new Lines(out);
}

/** Seconds between two lines of a screen that scrolls. */
const EVERY = 5;

class Lines implements Screen {
  readonly #out: NodeJS.WriteStream;
  #said = '';
  #told = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(sight: Sight): void {
    for (; this.#told < sight.findings.length; this.#told++) {
      const { kind, enclave, what } = sight.findings[this.#told] as Sight['findings'][number];
      this.#out.write(`${kind}: ${enclave.slice(0, 8)} ${what}\n`);
    }
    const turn = `${sight.phase} ${Math.floor(sight.elapsed / EVERY)}`;
    if (turn === this.#said) return;
    this.#said = turn;
    this.#out.write(`${line(sight)}\n`);
  }

  end(): void {}
}

function line(sight: Sight): string {
  const { series, phase, elapsed } = sight;
  if (phase === 'reading' || phase === 'done') return `${PHASES[phase]}: ${number(sight.readBack)} events`;
  const { rate, offered, errors, p50, p99 } = figures(lately(sight));
  return `${elapsed.toFixed(0).padStart(4)} s  ${phase === 'load' ? '' : `${PHASES[phase]}  `}offered ${offered}/s  acknowledged ${rate}/s  p50 ${p50} ms  p99 ${p99} ms  open ${series.open}${errors}`;
}

class Live implements Screen {
  readonly #out: NodeJS.WriteStream;
  #drawn = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  show(sight: Sight): void {
    const width = Math.max(20, this.#out.columns - 1);
    const lines = picture(sight).map((text) => (text.length > width ? `${text.slice(0, width - 1)}…` : text));
    if (this.#drawn > 0) moveCursor(this.#out, 0, -this.#drawn);
    clearScreenDown(this.#out);
    this.#out.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  end(): void {
    this.#drawn = 0;
  }
}

const SPARKS = '▁▂▃▄▅▆▇█';
const SHOWN_SECONDS = 60;

function picture(sight: Sight): string[] {
  const { settings, series, phase, elapsed, findings } = sight;
  const seconds = series.seconds;
  const { rate, offered, reads, p50, p99 } = figures(lately(sight));
  const total = seconds.reduce((n, { acknowledged }) => n + acknowledged, 0);
  const all: Record<string, number> = {};
  for (const second of seconds) addAll(all, second.errors);
  const { p99_ms, max_ms } = latencyOf(series.latency);
  const gap = series.timeline.longestGap(0, Math.max(0, Math.min(elapsed - 1, settings.seconds)) * 1000);
  const progress =
    phase === 'load'
      ? `${Math.max(0, elapsed).toFixed(0)} of ${settings.seconds} s`
      : `${number(sight.readBack)} events read back`;
  const lines = [
    `${settings.url}  ${PHASES[phase]}, ${progress}`,
    `rate      ${spark(seconds.map((second) => second.acknowledged))} ${rate}/s of ${offered}/s offered`,
    `p99       ${spark(seconds.map((second) => second.p99_ms))} ${p99} ms (p50 ${p50} ms)`,
    `total     ${number(total)} acknowledged, ${number(series.open)} open, p99 ${ms(p99_ms)} ms, slowest ${ms(max_ms)} ms, longest gap ${ms(gap.ms)} ms`,
    `reads     ${reads}/s, each proved`,
    `errors    ${list(all) || 'none'} (repeated until answered)`,
  ];
  const mark = sight.marks.all.at(-1);
  if (mark) lines.push(`mark      ${new Date(mark.at).toISOString().slice(11, 19)} ${mark.label}`);
  lines.push(
    findings.length === 0 ? 'findings  none' : `findings  ${findings.length}, the last: ${findings.at(-1)?.what}`,
  );
  return lines;
}

/** The last seconds of the load: what comes after it is no rate. */
function lately({ series, settings }: Sight): Second[] {
  return series.seconds.slice(0, Math.max(1, Math.floor(settings.seconds))).slice(-EVERY);
}

function figures(seconds: readonly Second[]): {
  rate: string;
  offered: string;
  reads: string;
  errors: string;
  p50: string;
  p99: string;
} {
  const mean = (of: (second: Second) => number): string =>
    number(Math.round(seconds.reduce((n, second) => n + of(second), 0) / Math.max(1, seconds.length)));
  const all: Record<string, number> = {};
  for (const second of seconds) addAll(all, second.errors);
  const errors = list(all);
  return {
    rate: mean((second) => second.acknowledged),
    offered: mean((second) => second.offered),
    reads: mean(({ reads }) => Object.values(reads).reduce((a, b) => a + b, 0)),
    errors: errors === '' ? '' : `  errors: ${errors}`,
    p50: ms(Math.max(0, ...seconds.map(({ p50_ms }) => p50_ms))),
    p99: ms(Math.max(0, ...seconds.map(({ p99_ms }) => p99_ms))),
  };
}

function spark(values: readonly number[]): string {
  const last = values.slice(-SHOWN_SECONDS);
  const most = Math.max(1, ...last);
  return last.map((value) => SPARKS[Math.min(SPARKS.length - 1, Math.floor((value / most) * SPARKS.length))]).join('');
}

export const number = (value: number): string => value.toLocaleString('en');
const ms = (value: number): string => (value >= 100 ? number(Math.round(value)) : value.toPrecision(2));
export const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `${name} ${number(count)}`)
    .join(', ');
