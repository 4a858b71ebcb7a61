import type { LogKey } from './enclave-log.ts';
import type { IndexRow } from './index-rows.ts';

/** At hand, or to be waited for. */
export type Maybe<T> = T | Promise<T>;

/** Step of a long search: null is a chance to pause, a promise is to be awaited before the next step. */
export type SearchStep = null | Promise<unknown>;

export interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What the indexes of one back end stand on. */
export interface IndexStorage {
  /** Head seq and generation (counts replaceTail) of what is there; null if there is no such log. */
  state(key: LogKey): Maybe<{ readonly seq: number; readonly generation: number } | null>;
  /** The event record alone, null behind the head. `stretch`: those behind it will be asked for next. */
  skeleton(key: LogKey, seq: number, stretch: boolean): Maybe<Buffer | null>;
  /** The row of this key (index-rows.ts), if it checks and is of this generation. Valid until the next call. */
  row(rowKey: Buffer, generation: number): Maybe<IndexRow | null>;
  /** Told which rows will be asked for next; null where that is of no use. */
  readonly ahead: ((rowKeys: readonly Buffer[], generation: number) => Promise<unknown>) | null;
  /** Writes rows over events up to `lastSeq`, sometime; not if the log's tail was replaced meanwhile. */
  write(key: LogKey, generation: number, lastSeq: number, rows: readonly Row[]): void;
}

/** The value, waited for if it is not at hand. */
export function* settled<T>(value: Maybe<T>): Generator<SearchStep, T> {
  if (!(value instanceof Promise)) return value;
  let result: T | undefined;
  yield value.then((found) => {
    result = found;
  });
  return result as T;
}

/** Runs a search to its end, giving way to the event loop at every pause. */
export async function finish<T>(steps: Generator<SearchStep, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await (step.value ?? new Promise(setImmediate));
  }
}
