import { OP_NAMES } from '../cluster/link/calls.ts';
import type { Traced } from '../tracing/traced.ts';
import type { Flight } from './flight.ts';

/** The span of one sending of a traced flight to a shard: its trace goes on there under this one. */
export function beginAttempt(flight: Flight, call: Traced, takeOver: boolean): void {
  const method = `enc.shard/${OP_NAMES[flight.op] ?? flight.op}`;
  flight.attempt = call.begin(method, {
    kind: 'client',
    attributes: {
      'rpc.system.name': 'enc-link',
      'rpc.method': method,
      'enc.shard': flight.shard,
      ...(takeOver && { 'enc.take_over': true }),
    },
  });
}

/** `outcome`: what the link said of it; `failure`: if that is an error, its name. */
export function endAttempt(flight: Flight, outcome: string, failure: string | null = null): void {
  const { attempt } = flight;
  if (attempt === null) return;
  flight.attempt = null;
  attempt.set({ 'enc.outcome': outcome });
  attempt.end(failure);
}
