import type { Query, Selector } from '../../deploy/observability/promql.ts';

/** Labels that Prometheus, or Kubernetes through it, puts on whatever it scrapes. */
const OF_TARGETS = ['job', 'instance', 'namespace'];
/** Series that Prometheus makes itself, and their labels. */
const OWN: Readonly<Record<string, readonly string[]>> = { up: [], ALERTS: ['alertname', 'alertstate', 'severity'] };

/** What processes export: the values of the labels of every metric. */
export class Exposed {
  readonly #series = new Map<string, Map<string, Set<string>>[]>();
  readonly #recorded: ReadonlySet<string>;

  /** `recorded`: names of recording rules */
  constructor(texts: readonly string[], recorded: readonly string[]) {
    this.#recorded = new Set(recorded);
    for (const line of texts.flatMap((text) => text.split('\n'))) {
      const [, name, labels = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      if (name === undefined) continue;
      const row = new Map<string, Set<string>>();
      for (const [, label, value] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
        row.set(label as string, new Set([value as string]));
      const all = this.#series.get(name) ?? [];
      all.push(row);
      this.#series.set(name, all);
    }
  }

  get names(): string[] {
    return [...this.#series.keys()];
  }

  /** What a query asks for that nobody exports; null if there is nothing. */
  lacks({ selectors, labels }: Query): string | null {
    for (const selector of selectors) {
      const lack = this.#lacks(selector);
      if (lack !== null) return lack;
    }
    const known = selectors.flatMap(({ metric }) => [...this.#labels(metric)]);
    const unknown = labels.find((label) => !known.includes(label));
    return unknown === undefined ? null : `no metric of the query has the label ${unknown}`;
  }

  #labels(metric: string): Set<string> {
    const own = OWN[metric] ?? this.#series.get(metric)?.flatMap((row) => [...row.keys()]) ?? [];
    return new Set([...own, ...OF_TARGETS]);
  }

  #lacks({ metric, matchers }: Selector): string | null {
    if (metric in OWN)
      return matchers.every(({ label }) => this.#labels(metric).has(label)) ? null : `labels of ${metric}`;
    if (this.#recorded.has(metric)) return null;
    const series = this.#series.get(metric);
    if (series === undefined) return `nobody exports ${metric}`;
    const labels = this.#labels(metric);
    for (const { label, op, value } of matchers) {
      if (!labels.has(label)) return `${metric} has no label ${label}`;
      if (OF_TARGETS.includes(label)) continue;
      const right = op.endsWith('~') ? new RegExp(`^(?:${value})$`) : { test: (text: string) => text === value };
      const found = series.some((row) =>
        [...(row.get(label) ?? [])].some((text) => right.test(text) !== op.startsWith('!')),
      );
      if (!found) return `${metric} has no ${label}${op}"${value}"`;
    }
    return null;
  }
}
