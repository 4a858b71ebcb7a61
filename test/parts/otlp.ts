/**
 * A real OTLP receiver for tests, on loopback: rotel, which prints every span that it takes. Where it is missing,
 * `otlpMissing` says so: pass it as a test's `skip`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from '../../cluster/local/free-port.ts';
import { waitFor } from './wait-for.ts';

const START_MS = 10_000;
const ARRIVE_MS = 10_000;

/** Where .ci/run puts it. */
const INSTALLED = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'enc-node', 'rotel', 'rotel');
const agent = [...(process.env['PATH'] ?? '').split(delimiter), INSTALLED]
  .map((folder) => join(folder, 'rotel-agent'))
  .find((path) => existsSync(path));

/** false when the receiver is here, else the sentence for `skip`. */
export const otlpMissing: string | false =
  agent === undefined ? 'no OTLP receiver (pip install --pre rotel; .ci/run puts it where it is looked for)' : false;

export interface SeenSpan {
  readonly service: string;
  /** of its process */
  readonly resource: Readonly<Record<string, string>>;
  readonly trace: string;
  readonly id: string;
  /** '' for the first of a trace */
  readonly parent: string;
  readonly name: string;
  /** SERVER, CLIENT or INTERNAL */
  readonly kind: string;
  readonly state: string;
  /** ns since the epoch */
  readonly from: bigint;
  readonly to: bigint;
  /** UNSET, OK or ERROR */
  readonly status: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, string>> }[];
  readonly links: readonly { readonly trace: string; readonly id: string }[];
}

const running = new Set<ChildProcess>();
// Whatever ends the tests, no receiver stays behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class OtlpReceiver implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  #printed = '';

  private constructor(port: number, child: ChildProcess) {
    this.url = `http://127.0.0.1:${port}`;
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#printed += text;
    });
  }

  static async start(): Promise<OtlpReceiver> {
    const [http, grpc] = [await freePort(), await freePort()];
    const child = spawn(
      agent as string,
      [
        ...['start', '--otlp-http-endpoint', `127.0.0.1:${http}`, '--otlp-grpc-endpoint', `127.0.0.1:${grpc}`],
        ...['--exporter', 'blackhole', '--debug-log', 'traces', '--debug-log-verbosity', 'detailed'],
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    running.add(child);
    child.once('exit', () => running.delete(child));
    const receiver = new OtlpReceiver(http, child);
    await waitFor(`the receiver on port ${http}`, START_MS, async () => {
      if (child.exitCode !== null) throw new Error('the receiver ended');
      return (await fetch(receiver.url)).status > 0;
    });
    return receiver;
  }

  /** Everything that it has printed. */
  get printed(): string {
    return this.#printed;
  }

  /** What makes a process send its spans here, soon. */
  get env(): Record<string, string> {
    return { OTEL_EXPORTER_OTLP_ENDPOINT: this.url, OTEL_BSP_SCHEDULE_DELAY: '50' };
  }

  /** The spans of a trace, once `enough` of them are there. */
  async spans(trace: string, enough: (spans: readonly SeenSpan[]) => boolean): Promise<SeenSpan[]> {
    let seen: SeenSpan[] = [];
    const all = (): boolean => {
      seen = readSpans(this.#printed).filter((span) => span.trace === trace);
      return enough(seen);
    };
    await waitFor(`the spans of ${trace}`, ARRIVE_MS, all).catch((error: unknown) => {
      const names = seen.map(({ service, name, kind }) => `${service} ${name} ${kind}`).join('\n');
      throw new Error(`spans are missing, there are only:\n${names}`, { cause: error });
    });
    return seen;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGKILL');
    await gone;
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads what rotel prints: a resource, then its spans, with members as `Name : value` and attributes as `-> key: Type(value)`. */
function readSpans(text: string): SeenSpan[] {
  const spans: SeenSpan[] = [];
  let resource: Record<string, string> = {};
  let attributes: Record<string, string> = resource;
  let span: Writable<SeenSpan> | null = null;
  // The last line may be cut off.
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    const attribute = /^\s+-> ([^:]+): \w+\((.*)\)$/.exec(line);
    const [, name = '', value = ''] = /^\s*(?:-> )?([\w ]+?)\s*: (.*)$/.exec(line) ?? [];
    if (attribute) attributes[attribute[1] as string] = attribute[2] as string;
    else if (line.startsWith('ResourceSpans #')) {
      resource = {};
      attributes = resource;
      span = null;
    } else if (/^Span #\d/.test(line)) {
      attributes = {};
      span = blank(resource, attributes);
      spans.push(span);
    } else if (span === null) continue;
    else if (line.startsWith('SpanEvent #')) {
      attributes = {};
      span.events = [...span.events, { name: '', attributes }];
    } else if (line.startsWith('SpanLink #')) {
      attributes = {};
      span.links = [...span.links, { trace: '', id: '' }];
    } else if (span.links.length > 0) member(span.links.at(-1) as object, LINK, name, value);
    else if (span.events.length > 0) member(span.events.at(-1) as object, EVENT, name, value);
    else member(span, SPAN, name, value);
  }
  return spans;
}

const LINK: Readonly<Record<string, string>> = { 'Trace ID': 'trace', ID: 'id' };
const EVENT: Readonly<Record<string, string>> = { Name: 'name' };
const SPAN: Readonly<Record<string, string>> = {
  'Trace ID': 'trace',
  'Parent ID': 'parent',
  ID: 'id',
  Name: 'name',
  Kind: 'kind',
  TraceState: 'state',
  'Start time': 'from',
  'End time': 'to',
  'Status code': 'status',
};

function member(of: object, names: typeof SPAN, name: string, value: string): void {
  const key = names[name];
  if (key === undefined) return;
  const read = key === 'from' || key === 'to' ? BigInt(value) : value.replace(/^(SPAN_KIND|STATUS_CODE)_/, '');
  Object.assign(of, { [key]: read });
}

function blank(resource: SeenSpan['resource'], attributes: SeenSpan['attributes']): Writable<SeenSpan> {
  return {
    ...{ service: resource['service.name'] ?? '', resource, attributes, events: [], links: [] },
    ...{ trace: '', id: '', parent: '', name: '', kind: '', state: '', status: '', from: 0n, to: 0n },
  };
}
