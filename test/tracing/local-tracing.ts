import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Sampling } from '../../tracing/sampling.ts';
import { SpanClock } from '../../tracing/span-clock.ts';
import { Tracing } from '../../tracing/tracing.ts';

export interface LocalTracing {
  readonly tracing: Tracing;
  /** those that have ended */
  readonly finished: () => ReadableSpan[];
}

/** Real spans that stay in this process. */
export function localTracing(sampling: Sampling = { ratio: 1, parentBased: true }): LocalTracing {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracing = new Tracing({
    tracer: provider.getTracer('test'),
    clock: new SpanClock(),
    sampling,
    counts: () => ({ exported: 0, dropped: 0, failed: 0 }),
    close: () => provider.shutdown(),
  });
  return { tracing, finished: () => exporter.getFinishedSpans() };
}
