import { randomUUID } from 'node:crypto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, RandomIdGenerator, TracerProvider } from '@opentelemetry/sdk-trace';
import { CountedSpans } from './counted-spans.ts';
import type { TracedProcess, TracingOptions } from './options.ts';
import { ChosenIds, SpanBacklog } from './span-backlog.ts';
import { SpanClock } from './span-clock.ts';
import { Tracing } from './tracing.ts';

/** How long the end of the process may wait for the receiver, ms. */
const FLUSH_MS = 3000;
/** One line about spans that are not taken is enough for so long, ms. */
const TOLD_MS = 60_000;
/** Spans wait for so long before they are made, if not so many are there before, ms. */
const WAIT_MS = 1000;
const WAITING = 256;

/** The SDK's enum, whose members are the same words. */
type Compression = NonNullable<NonNullable<ConstructorParameters<typeof OTLPTraceExporter>[0]>['compression']>;

/** Traces whose spans go to an OTLP receiver. The only file that loads the SDK: nobody imports it but open-tracing.ts. */
export function exportingTracing(options: TracingOptions, process: TracedProcess): Tracing {
  const { queue } = options;
  let told = Number.NEGATIVE_INFINITY;
  const counted = new CountedSpans(queue.size, (reason) => {
    if (performance.now() - told < TOLD_MS) return;
    told = performance.now();
    process.warn({ reason }, 'spans were not taken by the receiver of traces');
  });
  const exporter = new OTLPTraceExporter({
    url: options.url,
    headers: { ...process.headers },
    timeoutMillis: options.timeout,
    compression: options.compression as Compression,
  });
  const processor = new BatchSpanProcessor({
    exporter: counted.behind(exporter),
    maxQueueSize: queue.size,
    maxExportBatchSize: queue.batch,
    scheduledDelayMillis: queue.delay,
    exportTimeoutMillis: queue.timeout,
  });
  const ids = new ChosenIds();
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        'service.name': process.service,
        'service.version': process.version,
        'service.instance.id': randomUUID(),
        ...(process.shard !== null && { 'enc.shard': process.shard }),
        ...options.resource,
      }),
    ),
    // Who is traced has been decided before a span is made (tracing.ts).
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    spanProcessors: [processor],
  });
  const backlog = new SpanBacklog(provider.getTracer('enc-node', process.version), ids, {
    delay: Math.min(WAIT_MS, queue.delay),
    full: Math.min(WAITING, queue.batch),
    admit: () => counted.admit(),
  });
  return new Tracing({
    ids: new RandomIdGenerator(),
    ended: (span) => backlog.add(span),
    clock: new SpanClock(),
    sampling: options.sampling,
    counts: () => counted.counts,
    close: () => {
      backlog.flush();
      return inTime(provider.shutdown(), FLUSH_MS);
    },
  });
}

/** Resolves when the work is done, has failed, or `ms` are over. */
async function inTime(work: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([work.catch(() => {}), late.promise]);
  clearTimeout(timer);
}
