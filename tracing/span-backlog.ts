import type { Tracer } from '@opentelemetry/api';
import type { SpanIds, Traced } from './traced.ts';

/** So many are made in one turn of the event loop. */
const AT_ONCE = 64;

export interface SpanBacklogOptions {
  /** how long a span may wait, ms; 0: none does */
  readonly delay: number;
  /** so many don't wait any longer */
  readonly full: number;
  /** whether there is room for one more, which then counts as held */
  readonly admit: () => boolean;
}

/**
 * Spans that are over wait here, as a few fields each, and the SDK makes them many at a time. Where one call in a hundred is
 * traced, what makes spans would find cold caches each time.
 */
export class SpanBacklog {
  readonly #o: SpanBacklogOptions;
  readonly #tracer: Tracer;
  readonly #ids: ChosenIds;
  #waiting: Traced[] = [];
  #timer: NodeJS.Timeout | null = null;
  readonly #portion = (): void => this.#make();

  /** `tracer` takes its ids from `ids`. */
  constructor(tracer: Tracer, ids: ChosenIds, options: SpanBacklogOptions) {
    this.#tracer = tracer;
    this.#ids = ids;
    this.#o = options;
  }

  add(span: Traced): void {
    if (!this.#o.admit()) return;
    const count = this.#waiting.push(span);
    if (this.#o.delay === 0) this.#make();
    else if (count === this.#o.full) setImmediate(this.#portion);
    else this.#timer ??= setTimeout(this.#portion, this.#o.delay).unref();
  }

  /** Makes all that wait. */
  flush(): void {
    while (this.#waiting.length > 0) this.#make();
  }

  #make(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const span of this.#waiting.splice(0, AT_ONCE)) {
      this.#ids.next = span.context;
      span.make(this.#tracer);
    }
    if (this.#waiting.length > 0) setImmediate(this.#portion);
  }
}

/** Gives the SDK the ids that a span has already: it was named on the wire and in log lines when it began. */
export class ChosenIds implements SpanIds {
  next = { traceId: '', spanId: '' };

  generateTraceId(): string {
    return this.next.traceId;
  }

  generateSpanId(): string {
    return this.next.spanId;
  }
}
