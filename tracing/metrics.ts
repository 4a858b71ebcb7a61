import { Counter, type Registry } from 'prom-client';
import type { SpanCounts } from './tracing.ts';

/** What becomes of spans, for `/metrics`. */
export function createSpanMetrics(register: Registry, counts: () => SpanCounts): void {
  new Counter({
    name: 'enc_trace_spans_total',
    help: 'spans by what became of them: exported, dropped because the queue was full, failed at the receiver',
    labelNames: ['result'],
    registers: [register],
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(counts())) this.inc({ result }, count);
    },
  });
}
