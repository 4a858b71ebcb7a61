/** Work that nobody waits for as for a commit has so much of each turn of the event loop, ms: less than a batch of commits takes. */
export const SLICE_MS = 1;

const waiting: (() => void)[] = [];
/** performance.now() until which the slice of this turn lasts */
let until = 0;

/**
 * Resolves when the caller may hold the thread, until performance.now() is `sliceEnd()`. All callers share one slice a turn, in
 * the order in which they asked: so commits wait for about a slice at most, however many enclaves are being opened, and
 * nothing is lost when there are none. The thread is the process's, and so is the line before it.
 */
export function slice(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(begin);
  });
}

export const sliceEnd = (): number => until;

function begin(): void {
  until = performance.now() + SLICE_MS;
  next();
}

/** Lets the first go on; behind what it does at once, the next one, if there is time left. */
function next(): void {
  waiting.shift()?.();
  if (waiting.length === 0) return;
  queueMicrotask(() => {
    if (performance.now() < until) next();
    else setImmediate(begin);
  });
}
