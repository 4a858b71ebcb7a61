import {
  type Attributes,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { SpanClock } from './span-clock.ts';

/** Which span another process's work belongs to: W3C Trace Context, as it travels between routers and shards. */
export interface TraceContext {
  /** 32 and 16 digits */
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
  /** `tracestate`, '' if there is none */
  readonly state: string;
}

/** Makes ids as W3C Trace Context wants them: 32 and 16 digits. The SDK's `IdGenerator` by another name. */
export interface SpanIds {
  generateTraceId(): string;
  generateSpanId(): string;
}

/** What spans are made with: one for a process. */
export interface SpanMaker {
  readonly ids: SpanIds;
  readonly clock: SpanClock;
  /** takes those that are over */
  readonly ended: (span: Traced) => void;
}

export interface TracedOptions {
  /** `server`: somebody else's call; `client`: a call to somebody else. By default neither. */
  readonly kind?: 'server' | 'client';
  /** performance.now() when it began, by default now */
  readonly from?: number;
  readonly attributes?: Attributes;
  readonly links?: readonly Traced[];
}

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/** The members that a log line of a traced call has (OpenTelemetry, trace context in non-OTLP log formats). */
export interface TraceFields {
  readonly trace_id: string;
  readonly span_id: string;
}

interface SpanEvent {
  readonly name: string;
  readonly attributes: Attributes;
  readonly at: number;
}

/**
 * A sampled span, and the way to make others under it. Whoever holds one is being traced; who is not holds null, and pays
 * for a look at it. What it is told are a few fields, of which the SDK makes a span when it is over (span-backlog.ts). All
 * times are stamps of performance.now().
 */
export class Traced {
  readonly context: SpanContext;
  readonly #maker: SpanMaker;
  readonly #name: string;
  readonly #parent: SpanContext | null;
  readonly #kind: SpanKind;
  readonly #from: number;
  readonly #attributes: Attributes;
  readonly #links: { readonly context: SpanContext }[];
  #events: SpanEvent[] | null = null;
  #failed = false;
  /** 0 until it is over */
  #to = 0;

  /** `parent`: null begins a trace. */
  constructor(maker: SpanMaker, name: string, parent: SpanContext | null, options: TracedOptions) {
    const { kind, from = performance.now(), attributes, links } = options;
    this.context = {
      traceId: parent === null ? maker.ids.generateTraceId() : parent.traceId,
      spanId: maker.ids.generateSpanId(),
      traceFlags: TraceFlags.SAMPLED,
      ...(parent?.traceState && { traceState: parent.traceState }),
    };
    this.#maker = maker;
    this.#name = name;
    this.#parent = parent;
    this.#kind = kind === undefined ? SpanKind.INTERNAL : KINDS[kind];
    this.#from = from;
    this.#attributes = { ...attributes };
    this.#links = links ? links.map(({ context }) => ({ context })) : [];
  }

  get fields(): TraceFields {
    const { traceId, spanId } = this.context;
    return { trace_id: traceId, span_id: spanId };
  }

  /** For a process that goes on under this span. */
  get wire(): TraceContext {
    const { traceId, spanId, traceFlags, traceState } = this.context;
    return { traceId, spanId, flags: traceFlags, state: traceState?.serialize() ?? '' };
  }

  /** For whoever called: the value of `traceparent` and `traceresponse` (W3C Trace Context §3.2). */
  get header(): string {
    const { traceId, spanId, traceFlags } = this.context;
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  }

  /** A span under this one. */
  begin(name: string, options: TracedOptions = {}): Traced {
    return new Traced(this.#maker, name, this.context, options);
  }

  /** A span under this one that is over already. */
  part(name: string, from: number, to: number, attributes?: Attributes): void {
    this.begin(name, attributes ? { from, attributes } : { from }).end(null, to);
  }

  set(attributes: Attributes): void {
    if (this.#to === 0) Object.assign(this.#attributes, attributes);
  }

  event(name: string, attributes: Attributes): void {
    if (this.#to !== 0) return;
    this.#events ??= [];
    this.#events.push({ name, attributes, at: performance.now() });
  }

  link(other: Traced): void {
    if (this.#to === 0) this.#links.push({ context: other.context });
  }

  /** `type`: an error code. */
  fail(type: string): void {
    if (this.#to !== 0) return;
    this.#failed = true;
    this.#attributes['error.type'] = type;
  }

  /** `failure`: as in `fail`, null if there is none. Only the first call counts. */
  end(failure: string | null = null, at = performance.now()): void {
    if (this.#to !== 0) return;
    if (failure !== null) this.fail(failure);
    this.#to = at;
    this.#maker.ended(this);
  }

  /** Makes the SDK's span of it, once it is over. */
  make(tracer: Tracer): void {
    const { clock } = this.#maker;
    const parent = this.#parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, this.#parent);
    const span = tracer.startSpan(
      this.#name,
      {
        startTime: clock.at(this.#from),
        kind: this.#kind,
        attributes: this.#attributes,
        links: this.#links,
      },
      parent,
    );
    for (const { name, attributes, at } of this.#events ?? []) span.addEvent(name, attributes, clock.at(at));
    if (this.#failed) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(clock.at(this.#to));
  }
}
