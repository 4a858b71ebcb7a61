import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
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

/** What makes spans: one for a process. */
export interface SpanMaker {
  readonly tracer: Tracer;
  readonly clock: SpanClock;
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

/**
 * A sampled span, and the way to make others under it. Whoever holds one is being traced; who is not holds null, and pays
 * for a look at it. All times are stamps of performance.now().
 */
export class Traced {
  readonly #maker: SpanMaker;
  readonly #span: Span;
  readonly #under: Context;
  #over = false;

  private constructor(maker: SpanMaker, span: Span) {
    this.#maker = maker;
    this.#span = span;
    this.#under = trace.setSpan(ROOT_CONTEXT, span);
  }

  /** `parent`: null begins a trace. */
  static begin(maker: SpanMaker, name: string, parent: SpanContext | null, options: TracedOptions): Traced {
    const under = parent === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    return Traced.#begin(maker, name, under, options);
  }

  static #begin(maker: SpanMaker, name: string, under: Context, options: TracedOptions): Traced {
    const { kind, from = performance.now(), attributes, links } = options;
    const startTime = maker.clock.at(from);
    const span = maker.tracer.startSpan(
      name,
      {
        startTime,
        kind: kind === undefined ? SpanKind.INTERNAL : KINDS[kind],
        ...(attributes && { attributes }),
        ...(links && { links: links.map(({ context }) => ({ context })) }),
      },
      under,
    );
    return new Traced(maker, span);
  }

  get context(): SpanContext {
    return this.#span.spanContext();
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
    return Traced.#begin(this.#maker, name, this.#under, options);
  }

  /** A span under this one that is over already. */
  part(name: string, from: number, to: number, attributes?: Attributes): void {
    this.begin(name, attributes ? { from, attributes } : { from }).end(null, to);
  }

  set(attributes: Attributes): void {
    if (!this.#over) this.#span.setAttributes(attributes);
  }

  event(name: string, attributes: Attributes): void {
    if (!this.#over) this.#span.addEvent(name, attributes, this.#maker.clock.at(performance.now()));
  }

  link(other: Traced): void {
    if (!this.#over) this.#span.addLink({ context: other.context });
  }

  /** `type`: an error code. */
  fail(type: string): void {
    if (!this.#over) this.#span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR });
  }

  /** `failure`: as in `fail`, null if there is none. Only the first call counts. */
  end(failure: string | null = null, at = performance.now()): void {
    if (this.#over) return;
    if (failure !== null) this.fail(failure);
    this.#over = true;
    this.#span.end(this.#maker.clock.at(at));
  }
}
