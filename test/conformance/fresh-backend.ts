import { test } from 'node:test';

/** Defines tests that each get a back end of their own, which is removed behind them. */
export function freshBackend<B extends { remove(): Promise<void> }>(make: () => Promise<B>) {
  return (what: string, run: (backend: B) => Promise<void>): void => {
    test(what, async () => {
      const backend = await make();
      try {
        await run(backend);
      } finally {
        await backend.remove();
      }
    });
  };
}
