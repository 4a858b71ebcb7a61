/** Preloaded (`--import`): says on standard error which packages of OpenTelemetry a process loads. */
import { registerHooks } from 'node:module';

registerHooks({
  load(url, context, nextLoad) {
    const name = /node_modules\/(@opentelemetry\/[\w-]+)/.exec(url)?.[1];
    if (name !== undefined) process.stderr.write(`loaded ${name}\n`);
    return nextLoad(url, context);
  },
});
