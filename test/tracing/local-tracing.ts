import {
  InMemorySpanExporter,
  RandomIdGenerator,
  type ReadableSpan,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Sampling } from '../../tracing/sampling.ts';
import { ChosenIds, SpanBacklog } from '../../tracing/span-backlog.ts';
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
  const ids = new ChosenIds();
  const provider = new TracerProvider({ idGenerator: ids, spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const backlog = new SpanBacklog(provider.getTracer('test'), ids, { delay: 0, full: 1, admit: () => true });
  const tracing = new Tracing({
    ids: new RandomIdGenerator(),
    ended: (span) => backlog.add(span),
    clock: new SpanClock(),
    sampling,
    counts: () => ({ exported: 0, dropped: 0, failed: 0 }),
    close: () => provider.shutdown(),
  });
  return { tracing, finished: () => exporter.getFinishedSpans() };
}
