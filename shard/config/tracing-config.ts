import type { TracingOptions } from '../../tracing/options.ts';
import type { Sampling } from '../../tracing/sampling.ts';
import { ConfigError } from './env.ts';
import { choice, integer, type Kind, milliseconds, text } from './kinds.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Where a collector on this machine listens for OTLP over HTTP. */
const LOCAL_COLLECTOR = 'http://localhost:4318';
const TRACES_PATH = 'v1/traces';

const URL_KIND: Kind<URL> = {
  ...text('URL', /^/, 'a URL that begins with http:// or https://'),
  parse: (value) => (URL.canParse(value) && /^https?:\/\//.test(value) ? new URL(value) : undefined),
};
const RATIO: Kind<number> = {
  ...text('RATIO', /^/, 'a number from 0 to 1'),
  parse: (value) => (/^(0?\.\d{1,16}|0|1(\.0{1,16})?)$/.test(value) ? Number(value) : undefined),
};
const BOOLEAN: Kind<boolean> = {
  ...text('true|false', /^/, 'true or false'),
  parse: (value) => ({ true: true, false: false })[value.toLowerCase()],
};
const SAMPLERS = choice(
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
);
const PAIRS: Kind<Record<string, string>> = {
  ...text('PAIRS', /^/, 'key=value pairs with commas between, percent-encoded where need be'),
  parse: readPairs,
};

/**
 * The standard variables of OpenTelemetry that say whether and how calls are traced; an empty one counts as not set.
 * Null: they are not, because no receiver is named. Throws ConfigError for what this node can't do, rather than
 * sending nothing for ever. What is secret in them is read apart (secrets.ts).
 */
export function readTracing(env: Env): TracingOptions | null {
  const read = reader(env);
  if (read('OTEL_SDK_DISABLED', BOOLEAN) ?? false) return null;
  const exporter = read('OTEL_TRACES_EXPORTER', choice('otlp', 'none'));
  const url = read('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', URL_KIND);
  const base = read('OTEL_EXPORTER_OTLP_ENDPOINT', URL_KIND);
  if (exporter === 'none' || (exporter === undefined && url === undefined && base === undefined)) return null;
  const either = <T>(name: string, kind: Kind<T>): T | undefined =>
    read(`OTEL_EXPORTER_OTLP_TRACES_${name}`, kind) ?? read(`OTEL_EXPORTER_OTLP_${name}`, kind);
  either('PROTOCOL', choice('http/protobuf'));
  const service = read('OTEL_SERVICE_NAME', text('NAME', /^.{1,255}$/s, 'up to 255 characters'));
  const size = read('OTEL_BSP_MAX_QUEUE_SIZE', integer(1, 1_000_000)) ?? 2048;
  return {
    url: (url ?? below(base ?? new URL(LOCAL_COLLECTOR))).href,
    compression: either('COMPRESSION', choice('none', 'gzip')) ?? 'none',
    timeout: either('TIMEOUT', milliseconds(1, 600_000)) ?? 10_000,
    sampling: sampling(env),
    resource: {
      ...read('OTEL_RESOURCE_ATTRIBUTES', PAIRS),
      ...(service !== undefined && { 'service.name': service }),
    },
    queue: {
      size,
      batch: Math.min(size, read('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', integer(1, 1_000_000)) ?? 512),
      delay: read('OTEL_BSP_SCHEDULE_DELAY', milliseconds(1, 600_000)) ?? 5000,
      timeout: read('OTEL_BSP_EXPORT_TIMEOUT', milliseconds(1, 600_000)) ?? 30_000,
    },
  };
}

/** `OTEL_EXPORTER_OTLP_HEADERS` and the like, which may hold a token. Throws ConfigError, without quoting the value. */
export function readTraceHeaders(env: Env): Record<string, string> {
  const names = ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_TRACES_HEADERS'];
  const all = names.map((name) => {
    const pairs = readPairs(env[name] ?? '');
    if (pairs === undefined) throw new ConfigError(`${name} can not be read: set it to ${PAIRS.wanted}`);
    return pairs;
  });
  return Object.assign({}, ...all);
}

function sampling(env: Env): Sampling {
  const read = reader(env);
  const sampler = read('OTEL_TRACES_SAMPLER', SAMPLERS) ?? 'parentbased_always_on';
  const parentBased = sampler.startsWith('parentbased_');
  switch (sampler.replace('parentbased_', '')) {
    case 'always_on':
      return { ratio: 1, parentBased };
    case 'always_off':
      return { ratio: 0, parentBased };
    default:
      return { ratio: read('OTEL_TRACES_SAMPLER_ARG', RATIO) ?? 1, parentBased };
  }
}

const reader =
  (env: Env) =>
  <T>(name: string, kind: Kind<T>): T | undefined => {
    const value = env[name]?.trim();
    if (!value) return undefined;
    const read = kind.parse(value);
    // Not shown: a URL may hold a password.
    if (read === undefined) throw new ConfigError(`${name} can not be read: set it to ${kind.wanted}`);
    return read;
  };

/** The path of traces below an address for all signals. */
function below(base: URL): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${TRACES_PATH}`;
  return url;
}

/** `a=b,c=d` with percent-encoded values (W3C Baggage §3.2.1). */
function readPairs(value: string): Record<string, string> | undefined {
  const pairs: Record<string, string> = {};
  for (const pair of value.split(',')) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf('=');
    const key = pair.slice(0, at).trim();
    if (at < 1 || key === '') return undefined;
    try {
      pairs[decodeURIComponent(key)] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {
      return undefined;
    }
  }
  return pairs;
}
