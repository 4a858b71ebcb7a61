import type { TracedProcess, TracingOptions } from './options.ts';
import type { Tracing } from './tracing.ts';

/** Null without options: then no SDK is loaded. */
export async function openTracing(options: TracingOptions | null, process: TracedProcess): Promise<Tracing | null> {
  if (options === null) return null;
  const { exportingTracing } = await import('./exporting.ts');
  return exportingTracing(options, process);
}
