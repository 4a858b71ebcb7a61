import type { Metric } from 'prom-client';
import { type Labels, type Meters, rows } from './meters.ts';

/**
 * A histogram of seconds for what happens with every commit: its series are known beforehand and have numbers, and
 * observing one is an addition to an array. (prom-client hashes labels for every observation, and costs eight times as
 * much.)
 */
export class SecondsTally<Name extends string = never> {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #rows: readonly Readonly<Record<string, string>>[];
  readonly #buckets: readonly number[];
  readonly #width: number;
  /** per series: one count per bucket, and the last for what is in none of them */
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;

  /** `buckets`: upper bounds in seconds, ascending */
  constructor(meters: Meters, name: string, help: string, buckets: readonly number[], labels = {} as Labels<Name>) {
    this.name = name;
    this.help = help;
    this.#rows = rows(labels);
    this.#buckets = buckets;
    this.#width = buckets.length + 1;
    this.#counts = new Float64Array(this.#rows.length * this.#width);
    this.#sums = new Float64Array(this.#rows.length);
    // The register asks a metric for its name, help, type and values, and nothing else.
    meters.register.registerMetric(this as unknown as Metric<Name>);
  }

  /** Series are numbered in the order of the labels' values, the last label counting fastest. */
  observe(seconds: number, series = 0): void {
    let bucket = 0;
    while (bucket < this.#buckets.length && seconds > (this.#buckets[bucket] as number)) bucket++;
    const at = series * this.#width + bucket;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#sums[series] = (this.#sums[series] as number) + seconds;
  }

  /** How many have been observed in a series. */
  count(series = 0): number {
    let sum = 0;
    for (let i = 0; i < this.#width; i++) sum += this.#counts[series * this.#width + i] as number;
    return sum;
  }

  /** For the register. */
  async get(): Promise<{ name: string; help: string; type: string; values: Sample[]; aggregator: 'sum' }> {
    const { name, help, type } = this;
    return {
      name,
      help,
      type,
      values: this.#rows.flatMap((row, series) => this.#samples(row, series)),
      aggregator: 'sum',
    };
  }

  reset(): void {
    this.#counts.fill(0);
    this.#sums.fill(0);
  }

  #samples(labels: Readonly<Record<string, string>>, series: number): Sample[] {
    const samples: Sample[] = [];
    let sum = 0;
    for (let i = 0; i < this.#width; i++) {
      sum += this.#counts[series * this.#width + i] as number;
      const le = this.#buckets[i] ?? '+Inf';
      samples.push({ metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: sum });
    }
    samples.push({ metricName: `${this.name}_sum`, labels, value: this.#sums[series] as number });
    samples.push({ metricName: `${this.name}_count`, labels, value: sum });
    return samples;
  }
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}
