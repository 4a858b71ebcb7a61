import type { TracingOptions } from '../../tracing/options.ts';

/** Everything is traced, and sent soon. */
export function tracingOptions(more: Partial<TracingOptions> & Pick<TracingOptions, 'url'>): TracingOptions {
  return {
    compression: 'none',
    timeout: 2000,
    sampling: { ratio: 1, parentBased: true },
    resource: {},
    queue: { size: 2048, batch: 512, delay: 50, timeout: 2000 },
    ...more,
  };
}
