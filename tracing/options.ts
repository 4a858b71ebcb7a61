import type { Sampling } from './sampling.ts';

/** Where spans go and how, as the OTEL_… variables say. Times in ms. */
export interface TracingOptions {
  /** spans are posted to it: OTLP over HTTP, protobuf */
  readonly url: string;
  readonly compression: 'none' | 'gzip';
  /** of one export, retries included */
  readonly timeout: number;
  readonly sampling: Sampling;
  /** attributes of the process that the operator gave, `service.name` among them if it was set */
  readonly resource: Readonly<Record<string, string>>;
  /** spans that may wait, how many go at once, how long the first of them waits, and how long a batch may take */
  readonly queue: { readonly size: number; readonly batch: number; readonly delay: number; readonly timeout: number };
}

/** What is traced. */
export interface TracedProcess {
  /** its `service.name`, unless the operator says otherwise */
  readonly service: string;
  readonly version: string;
  /** number of a shard, null where it is none */
  readonly shard: number | null;
  /** secrets: of each export */
  readonly headers: Readonly<Record<string, string>>;
  readonly warn: (fields: object, message: string) => void;
}
