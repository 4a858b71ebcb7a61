import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until the answer is neither false, null nor an exception; throws with the last one after `ms`. */
export async function waitFor<T>(what: string, ms: number, ask: () => T | Promise<T>): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (let last: unknown = null; ; ) {
    try {
      const answer = await ask();
      if (answer !== false && answer !== null && answer !== undefined) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`, { cause: last });
    await sleep(20);
  }
}
