import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MIB = 2 ** 20;
/** What a memory may still grow after half of the runs: caches that fill, fragmentation. */
const SLACK = 12 * MIB;
const SLACK_SHARE = 0.2;
/** Fewer samples tell nothing about a trend. */
const ENOUGH = 16;

/** Watches memory over a run and says whether it grows with the number of inputs. */
export class MemoryWatch {
  readonly #samples = { heap: [] as number[], external: [] as number[], target: [] as number[] };

  sample(target: number): void {
    collect();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    this.#samples.heap.push(heapUsed);
    this.#samples.external.push(external + arrayBuffers);
    this.#samples.target.push(target);
  }

  /** null if flat: the medians of the second and the last quarter differ by no more than the slack. */
  growth(): string | null {
    for (const [name, values] of Object.entries(this.#samples)) {
      if (values.length < ENOUGH) continue;
      const quarter = Math.floor(values.length / 4);
      const early = median(values.slice(quarter, quarter * 2));
      const late = median(values.slice(-quarter));
      if (late > early * (1 + SLACK_SHARE) + SLACK) return `${name} memory grew from ${mib(early)} to ${mib(late)} MiB`;
    }
    return null;
  }

  /** The last sample, for people. */
  describe(): string {
    const last = (values: readonly number[]): string => mib(values.at(-1) ?? 0);
    return `heap ${last(this.#samples.heap)} MiB, external ${last(this.#samples.external)} MiB, target ${last(this.#samples.target)} MiB`;
  }
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(1);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
