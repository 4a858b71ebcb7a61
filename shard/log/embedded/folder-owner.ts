import { getRow, type Store } from './store.ts';

/** The row of `meta` that names who opened the folder last: the only one whose writes land. */
export const OWNER = Buffer.from('owner');

/** How often one looks, ms: an owner that is none any more stops within 2 s (ARCHITECTURE §3). */
const LOOK_EVERY_MS = 1000;

/** Calls back once when another process has opened the folder. The timer does not keep the process alive. */
export function watchOwner(store: Store, onLost: () => void): NodeJS.Timeout {
  const mine = getRow(store.meta, OWNER);
  const timer = setInterval(() => {
    store.root.resetReadTxn();
    const now = getRow(store.meta, OWNER);
    if (mine !== undefined && now?.equals(mine) === true) return;
    clearInterval(timer);
    onLost();
  }, LOOK_EVERY_MS);
  return timer.unref();
}
