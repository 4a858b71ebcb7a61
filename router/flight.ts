import type { Exchange } from '../shard/api/api.ts';
import type { Traced } from '../tracing/traced.ts';
import type { Route } from './routes.ts';

/** Whoever waits for an answer: a whole HTTP exchange, or one element of an array. */
export type Target = Pick<Exchange, 'answer'>;

/** One request on its way to a shard and back. One object, whatever becomes of it. */
export class Flight {
  readonly op: number;
  /** of the REQUEST record, without TAKE_OVER */
  readonly flags: number;
  readonly body: Uint8Array;
  /** null: any shard will do */
  route: Route | null;
  readonly target: Target;
  /** the exchange, for streams; null for an element of an array */
  readonly exchange: Exchange | null;
  /** performance.now() after which nobody waits */
  deadline: number;

  /** id on the link that it travels on */
  id = 0;
  /** where it was sent last, and whether another shard is the first choice */
  shard = -1;
  astray = false;
  /** sent to a shard so often */
  sent = 0;
  /** moved, misrouted or stale so often */
  hops = 0;
  /** answered `unavailable` so often */
  refusals = 0;
  /** performance.now() before which it is not sent again */
  retryAt = 0;
  /** where the last shard said that the enclave is, −1 if nothing was said */
  owner = -1;
  /** that shard must be asked to take it over */
  released = false;
  /** a shard that does not take it now, −1 if none */
  avoid = -1;
  /** the file of an upload has begun to flow, or bytes of a streamed answer: it can't be sent again */
  flowing = false;
  /** a streamed answer has begun */
  begun = false;
  done = false;
  /** the span of the call, null if it is not traced; and of the sending that is under way */
  trace: Traced | null = null;
  attempt: Traced | null = null;

  constructor(
    op: number,
    flags: number,
    body: Uint8Array,
    route: Route | null,
    target: Target,
    exchange: Exchange | null,
    deadline: number,
  ) {
    this.op = op;
    this.flags = flags;
    this.body = body;
    this.route = route;
    this.target = target;
    this.exchange = exchange;
    this.deadline = deadline;
  }
}
