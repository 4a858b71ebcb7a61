import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { EXP_WINDOW, MAX_ARRAY } from '../../protocol/limits.ts';
import type { Goals, Settings } from './settings.ts';

/** Everything that the command line says. */
export interface Flags {
  readonly settings: Settings;
  readonly goals: Goals;
  readonly marks: string | null;
  readonly json: string | null;
  readonly html: string | null;
}

/** What one thread is sure to hold, commits per second (docs/hammer.md). */
const RATE_OF_A_THREAD = 1500;
const DAY = 86_400;

interface Raw {
  readonly url: string;
  readonly rate: number;
  readonly duration: number;
  readonly enclaves: number;
  readonly authors: number;
  readonly readers: number;
  readonly readRate: number;
  readonly arrayShare: number;
  readonly arraySize: number;
  readonly content: { min: number; max: number };
  readonly inFlight: number;
  readonly connections: number;
  readonly threads?: number;
  readonly maxEvents: number;
  readonly lifetime: number;
  readonly settle: number;
  readonly seed?: string;
  readonly goalRate?: number;
  readonly goalP99?: number;
  readonly maxGap?: number;
  readonly maxWait?: number;
  readonly marks?: string;
  readonly json?: string;
  readonly html?: string;
}

/** The command, and how its parsed options become `Flags`. Throws CommanderError on wrong input and after --help. */
export function readFlags(argv: readonly string[]): Flags {
  const command = new Command('npm run hammer --')
    .description(
      'Writes to and reads from a node or a cluster at the same time, proves everything that it is told, and reads back\n' +
        'every acknowledged event at the end. Founds enclaves of its own, and leaves them behind. Exits 0 only if every proof\n' +
        'holds, nothing is lost or there twice, and each goal is met. Ctrl-C ends the load early and judges.',
    )
    .requiredOption('--url <url>', 'the node, such as http://127.0.0.1:8080', url)
    .option('--rate <n>', 'commits per second, offered whether or not earlier ones are answered', above0, 100)
    .option('--duration <time>', 'how long: 90, 90s, 5m, 1h', duration, 60)
    .option('--enclaves <n>', 'enclaves that are founded and hammered', count(1, 100_000), 16)
    .option('--authors <n>', 'identities that commit, each a member of every enclave', count(1, 1000), 16)
    .option('--readers <n>', 'reads at a time; 0: read at the end only', count(0, 1000), 8)
    .option('--read-rate <n>', 'reads per second at most', above0, 50)
    .option('--array-share <share>', 'share of the commits that go in arrays, 0 to 1', share, 0.25)
    .option('--array-size <n>', 'commits of an array', count(1, MAX_ARRAY), 16)
    .option('--content <min-max>', 'characters of text in a commit, most of them short', range, { min: 16, max: 2048 })
    .option('--in-flight <n>', 'commits without an outcome; what is due beyond is shed', count(1, 1_000_000), 10_000)
    .option('--connections <n>', 'connections to the node', count(1, 10_000), 128)
    .option(
      '--threads <n>',
      `default: one for ${RATE_OF_A_THREAD} commits per second, at most one a core`,
      count(1, 256),
    )
    .option('--max-events <n>', 'the load ends when so many events are acknowledged', count(1, 1e8), 2_000_000)
    .option('--lifetime <time>', 'until a commit expires: so long it is repeated', lifetime, 120)
    .option(
      '--settle <time>',
      'for all that comes after the load: outcomes, half of it at most, and reading back',
      duration,
      600,
    )
    .option('--seed <text>', 'makes the same choices again (default: a new one)')
    .option('--goal-rate <n>', 'acknowledged per second (default: 90 % of --rate)', from0)
    .option('--goal-p99 <ms>', '99 % of latencies, from the intended send time', above0)
    .option('--max-gap <ms>', 'longest time without any acknowledgement', above0)
    .option('--max-wait <ms>', 'slowest acknowledged commit', above0)
    .option(
      '--marks <file>',
      'JSON lines {"at": Unix ms, "label": "…", "until"?: Unix ms} that others append meanwhile',
    )
    .option('--json <file>', 'write the report as JSON')
    .option('--html <file>', 'write the report as one HTML page with plots')
    .addHelpText('after', '\nThe last line is "N acknowledged, F failed proofs, L lost". See docs/hammer.md.')
    .exitOverride();
  return flags(command.parse(argv, { from: 'user' }).opts<Raw>());
}

function flags(raw: Raw): Flags {
  const threads = raw.threads ?? Math.min(availableParallelism(), Math.ceil(raw.rate / RATE_OF_A_THREAD));
  return {
    settings: {
      url: raw.url,
      rate: raw.rate,
      seconds: raw.duration,
      enclaves: raw.enclaves,
      authors: raw.authors,
      readers: raw.readers,
      readRate: raw.readRate,
      arrayShare: raw.arrayShare,
      arraySize: raw.arraySize,
      content: raw.content,
      inFlight: raw.inFlight,
      connections: raw.connections,
      threads: Math.min(threads, raw.enclaves),
      maxEvents: raw.maxEvents,
      lifetimeSeconds: raw.lifetime,
      settleSeconds: raw.settle,
      seed: raw.seed ?? randomBytes(8).toString('hex'),
    },
    goals: {
      rate: raw.goalRate ?? null,
      p99: raw.goalP99 ?? null,
      gap: raw.maxGap ?? null,
      wait: raw.maxWait ?? null,
    },
    marks: raw.marks ?? null,
    json: raw.json ?? null,
    html: raw.html ?? null,
  };
}

function number(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

function above0(text: string): number {
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

function from0(text: string): number {
  const value = number(text);
  if (value < 0) throw new InvalidArgumentError('It must be 0 or more.');
  return value;
}

function share(text: string): number {
  const value = number(text);
  if (value < 0 || value > 1) throw new InvalidArgumentError('It must be a number from 0 to 1.');
  return value;
}

const count =
  (min: number, max: number) =>
  (text: string): number => {
    const value = number(text);
    if (!Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };

/** Seconds. */
function duration(text: string): number {
  const [, value, unit = 's'] = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(text) ?? [];
  const seconds = Number(value) * { s: 1, m: 60, h: 3600 }[unit as 's' | 'm' | 'h'];
  if (!(seconds > 0 && seconds <= 7 * DAY))
    throw new InvalidArgumentError('It must be a time of up to a week, such as 90s, 5m or 1h.');
  return seconds;
}

function lifetime(text: string): number {
  const seconds = duration(text);
  if (seconds * 1000 >= EXP_WINDOW)
    throw new InvalidArgumentError(
      `It must be less than ${EXP_WINDOW / 1000} s: nodes take no commit that expires later.`,
    );
  return seconds;
}

function range(text: string): { min: number; max: number } {
  const [, min, max] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(text) ?? [];
  const found = { min: Number(min), max: Number(max ?? min) };
  if (!(found.min <= found.max && found.max <= 500_000))
    throw new InvalidArgumentError('It must be a length, or two like 16-2048, of up to 500000.');
  return found;
}

function url(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw new InvalidArgumentError('It must be an address like http://127.0.0.1:8080.');
  return text;
}
