import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { BenchResult } from './result.ts';

type Rows = readonly Record<string, string | number>[];

const CONFIG = {
  background: 'white',
  font: 'sans-serif',
  view: { stroke: null },
  axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal' },
} as const;
const BLUE = '#4269d0';
const RED = '#d1495b';

/** Draws the plots of docs/performance.md from the rows of `bench all` into `folder`. */
export async function drawPlots(results: readonly BenchResult[], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const plots = { cost: cost(results), latency: latency(results), queries: queries(results) };
  for (const [name, spec] of Object.entries(plots)) {
    const view = new View(parse(compile(spec).spec), { renderer: 'none' });
    writeFileSync(join(folder, `${name}.svg`), `${await view.toSVG()}\n`);
    view.finalize();
  }
}

function row(results: readonly BenchResult[], name: string): BenchResult {
  const found = results.find((result) => result.name === name);
  if (!found) throw new Error(`the figures lack ${name}: run all benches`);
  return found;
}

/** CPU of the node per commit, in c: signatures and all the rest, with the musts as lines. */
function cost(results: readonly BenchResult[]): TopLevelSpec {
  const ways = [
    { way: 'one per POST', ...row(results, 'commit'), must: 0.8 },
    { way: '50 per POST', ...row(results, 'batch'), must: 0.25 },
  ];
  const values: Rows = ways.flatMap(({ way, beyond_c = 0, must }) => [
    { way, part: 'verify + sign (c)', share: 1, order: 0, must: 1 + must },
    { way, part: 'all the rest', share: beyond_c, order: 1, must: 1 + must },
  ]);
  const y = { field: 'way', type: 'nominal', title: null, sort: null } as const;
  return {
    data: { values: [...values] },
    width: 520,
    height: { step: 42 },
    config: CONFIG,
    layer: [
      {
        mark: { type: 'bar', height: 24 },
        encoding: {
          y,
          x: {
            field: 'share',
            type: 'quantitative',
            stack: 'zero',
            title: 'CPU of the node per commit, in units of c',
          },
          color: {
            field: 'part',
            type: 'nominal',
            sort: null,
            title: null,
            scale: { domain: ['verify + sign (c)', 'all the rest'], range: ['#b8c4e8', BLUE] },
            legend: { orient: 'top' },
          },
          order: { field: 'order', type: 'quantitative' },
        },
      },
      {
        mark: { type: 'tick', color: RED, thickness: 2, height: 34 },
        encoding: { y, x: { field: 'must', type: 'quantitative', aggregate: 'max' } },
      },
    ],
  };
}

const QUANTILES = [
  ['p50_ms', 'median'],
  ['p90_ms', '90 %'],
  ['p99_ms', '99 %'],
  ['p999_ms', '99.9 %'],
] as const;

/** Latency of single commits against how busy the node is. */
function latency(results: readonly BenchResult[]): TopLevelSpec {
  const loads = ['commit-25-percent', 'commit-half', 'commit-75-percent'].map((name) => row(results, name));
  const values: Rows = loads.flatMap((load) =>
    QUANTILES.map(([key, quantile]) => ({ rate: load.rate as number, quantile, ms: load[key] as number })),
  );
  return {
    data: { values: [...values] },
    width: 520,
    height: 240,
    config: CONFIG,
    mark: { type: 'line', point: true },
    encoding: {
      x: {
        field: 'rate',
        type: 'quantitative',
        title: 'commits per second, open loop (a quarter, half, three quarters of saturation)',
      },
      y: { field: 'ms', type: 'quantitative', title: 'ms from the intended send time', scale: { type: 'log' } },
      color: {
        field: 'quantile',
        type: 'nominal',
        sort: null,
        title: null,
        scale: { range: ['#b8c4e8', '#7d93dc', BLUE, '#1c2f6b'] },
      },
    },
  };
}

/** Selective queries, median to 99 %, against the must of 20 ms. */
function queries(results: readonly BenchResult[]): TopLevelSpec {
  const values: Rows = results
    .filter(({ name, must }) => name.startsWith('query-') && must?.startsWith('p99'))
    .map(({ name, p50_ms = 0, p99_ms = 0 }) => ({ query: name.slice('query-'.length), p50_ms, p99_ms }));
  const y = { field: 'query', type: 'nominal', title: null, sort: null } as const;
  const x = {
    type: 'quantitative',
    title: 'ms, median to 99 % (warm, one at a time)',
    scale: { type: 'log' },
  } as const;
  return {
    data: { values: [...values] },
    width: 520,
    height: { step: 24 },
    config: CONFIG,
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 3, color: '#b8c4e8' },
        encoding: { y, x: { ...x, field: 'p50_ms' }, x2: { field: 'p99_ms' } },
      },
      { mark: { type: 'point', filled: true, size: 60, color: BLUE }, encoding: { y, x: { ...x, field: 'p50_ms' } } },
      { mark: { type: 'tick', thickness: 2, color: BLUE }, encoding: { y, x: { ...x, field: 'p99_ms' } } },
      { mark: { type: 'rule', color: RED }, encoding: { x: { ...x, datum: 20 } } },
    ],
  };
}
