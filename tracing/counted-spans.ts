import { ExportResultCode } from '@opentelemetry/core';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { SpanCounts } from './tracing.ts';

/**
 * Counts what becomes of spans. No more than `max` are held at once, those that are being sent included: what comes beyond
 * is dropped, so that a receiver that is slow or away costs no memory.
 */
export class CountedSpans {
  readonly #max: number;
  readonly #failed: (reason: string) => void;
  #held = 0;
  #counts = { exported: 0, dropped: 0, failed: 0 };

  /** `failed` is told of every export that fails. */
  constructor(max: number, failed: (reason: string) => void) {
    this.#max = max;
    this.#failed = failed;
  }

  get counts(): SpanCounts {
    return this.#counts;
  }

  /** Whether there is room for one more, which is held from now on until it has been sent. */
  admit(): boolean {
    const room = this.#held < this.#max;
    if (room) this.#held++;
    else this.#counts.dropped++;
    return room;
  }

  behind(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          this.#held -= spans.length;
          if (result.code === ExportResultCode.SUCCESS) this.#counts.exported += spans.length;
          else {
            this.#counts.failed += spans.length;
            this.#failed(result.error?.message ?? 'no reason given');
          }
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
    };
  }
}
