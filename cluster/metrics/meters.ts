import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client';

/** Seconds: a durable commit takes 1–20 ms on a quiet machine; the tail is what one looks at. */
export const LATENCY = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 5] as const;

/** The values that a label may take: few, and known beforehand. Never an enclave or an identity. */
export type Labels<Name extends string> = { readonly [N in Name]: readonly string[] };

type Row<Name extends string> = Record<Name, string>;

/**
 * Makes the metrics of one process in its register. What is counted by label is there with 0 from the start where the
 * values are known: a rate over a series that begins with its first event would miss that event.
 */
export class Meters {
  readonly register: Registry;
  readonly #registers: Registry[];

  constructor(register: Registry) {
    this.register = register;
    this.#registers = [register];
  }

  /** CPU, memory, event loop and file descriptors of the process. */
  process(): void {
    collectDefaultMetrics({ register: this.register, eventLoopMonitoringPrecision: 10 });
  }

  counter(name: string, help: string): Counter<never> {
    return new Counter({ name, help, registers: this.#registers });
  }

  counters<Name extends string>(name: string, help: string, labels: Labels<Name>): Counter<Name> {
    const labelNames = Object.keys(labels) as Name[];
    const made = new Counter({ name, help, labelNames, registers: this.#registers });
    for (const row of rows(labels)) made.inc(row, 0);
    return made;
  }

  /** Counters that somebody else keeps: `read` is asked at every scrape, and must never fall. */
  counted<Name extends string = never>(
    name: string,
    help: string,
    read: (row: Row<Name>) => number,
    labels = {} as Labels<Name>,
  ): void {
    const series = rows(labels);
    new Counter({
      name,
      help,
      labelNames: Object.keys(labels) as Name[],
      registers: this.#registers,
      collect() {
        this.reset();
        for (const row of series) this.inc(row, read(row));
      },
    });
  }

  /** `read` is asked at every scrape. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void {
    new Gauge({
      name,
      help,
      registers: this.#registers,
      async collect() {
        this.set(await read());
      },
    });
  }

  /** `read` is asked at every scrape for the series that there are then. */
  gauges<Name extends string>(
    name: string,
    help: string,
    labelNames: readonly Name[],
    read: () => Iterable<readonly [Row<Name>, number]> | Promise<Iterable<readonly [Row<Name>, number]>>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: this.#registers,
      async collect() {
        const series = await read();
        this.reset();
        for (const [row, value] of series) this.set(row, value);
      },
    });
  }

  histogram(name: string, help: string, buckets: readonly number[]): Histogram<never> {
    return new Histogram({ name, help, buckets: [...buckets], registers: this.#registers });
  }

  histograms<Name extends string>(
    name: string,
    help: string,
    labelNames: readonly Name[],
    buckets: readonly number[],
  ): Histogram<Name> {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: this.#registers });
  }

  /** enc_build_info: always 1; what runs here. */
  build(what: Readonly<Record<string, string>>): void {
    const labelNames = Object.keys(what);
    new Gauge({ name: 'enc_build_info', help: 'always 1; what runs here', labelNames, registers: this.#registers }).set(
      what,
      1,
    );
  }
}

/** Every combination of the labels' values. */
export function rows<Name extends string>(labels: Labels<Name>): Row<Name>[] {
  let all: Record<string, string>[] = [{}];
  for (const [name, values] of Object.entries<readonly string[]>(labels))
    all = all.flatMap((row) => values.map((value) => ({ ...row, [name]: value })));
  return all as Row<Name>[];
}
