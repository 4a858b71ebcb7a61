import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Attributes, createTraceState, type SpanContext, TraceFlags } from '@opentelemetry/api';
import { parseTraceParent } from '@opentelemetry/core';
import { type Sampling, withinRatio } from './sampling.ts';
import { type SpanMaker, type TraceContext, Traced } from './traced.ts';

const TRACEPARENT = 'traceparent';

/** What has become of spans that ended. */
export interface SpanCounts {
  readonly exported: number;
  /** the queue was full */
  readonly dropped: number;
  /** the receiver did not take them in time */
  readonly failed: number;
}

export interface TracingModules extends SpanMaker {
  readonly sampling: Sampling;
  readonly counts: () => SpanCounts;
  /** Sends what waits, and ends; resolves in time whatever the receiver does. */
  readonly close: () => Promise<void>;
}

/** The traces of one process. Who is not sampled costs a look at the headers and a random number: no object is made. */
export class Tracing {
  readonly #m: TracingModules;
  readonly close: () => Promise<void>;

  constructor(modules: TracingModules) {
    this.#m = modules;
    this.close = modules.close;
  }

  get counts(): SpanCounts {
    return this.#m.counts();
  }

  /**
   * The span of a call over HTTP, null if it is not sampled; its trace goes on if the caller names one. It ends when the
   * answer has left or the caller is gone, so that a client that reads slowly is seen. `route`: the path with names in place of values.
   */
  call(request: IncomingMessage, response: ServerResponse, route: string): Traced | null {
    const parent = this.#decide(request);
    if (parent === undefined) return null;
    const { method = 'GET', url = route } = request;
    const traced = new Traced(this.#m, `${method} ${route}`, parent, {
      kind: 'server',
      attributes: {
        'http.request.method': method,
        'http.route': route,
        'url.scheme': 'http',
        'url.path': url.split('?', 1)[0] as string,
        'network.protocol.version': request.httpVersion,
      },
    });
    response.once('close', () => traced.end(response.writableFinished ? null : 'client_gone'));
    return traced;
  }

  /** Work for a span of another process, which has decided that it is sampled. */
  joined(name: string, { traceId, spanId, flags, state }: TraceContext, attributes: Attributes): Traced {
    const parent = remote(traceId, spanId, flags, state);
    return new Traced(this.#m, name, parent, { kind: 'server', attributes });
  }

  /** The caller's span, null if it has none; undefined: not sampled. */
  #decide(request: IncomingMessage): SpanContext | null | undefined {
    const { ratio, parentBased } = this.#m.sampling;
    const header = traceparentOf(request.rawHeaders);
    const named = header === null ? null : parseTraceParent(header);
    if (named === null) return Math.random() < ratio ? null : undefined;
    const sampled = parentBased
      ? (named.traceFlags & TraceFlags.SAMPLED) !== 0
      : ratio > 0 && withinRatio(named.traceId, ratio);
    if (!sampled) return undefined;
    const state = request.headers['tracestate'];
    const text = Array.isArray(state) ? state.join(',') : (state ?? '');
    return remote(named.traceId, named.spanId, named.traceFlags | TraceFlags.SAMPLED, text);
  }
}

function remote(traceId: string, spanId: string, traceFlags: number, state: string): SpanContext {
  const context = { traceId, spanId, traceFlags, isRemote: true };
  return state === '' ? context : { ...context, traceState: createTraceState(state) };
}

/** Null if there is none, or more than one (then it names nobody). Node makes `headers` only when they are asked for. */
function traceparentOf(headers: readonly string[]): string | null {
  let found: string | null = null;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== TRACEPARENT.length || name.toLowerCase() !== TRACEPARENT) continue;
    if (found !== null) return null;
    found = headers[i + 1] as string;
  }
  return found;
}
