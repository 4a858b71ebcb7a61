/** Work that nobody waits for as for a commit holds the thread for so long at a time, ms: less than a batch of commits does. */
export const SLICE_MS = 1;

const waiting: (() => void)[] = [];

/**
 * Resolves when the caller may hold the thread for SLICE_MS. One caller a turn of the event loop, in the order in which they
 * asked: so commits wait for one slice at most, however many enclaves are being opened, and nothing is lost when there are
 * none. The thread is the process's, and so is the line before it.
 */
export function slice(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(next);
  });
}

function next(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(next);
}
