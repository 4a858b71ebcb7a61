import type { TopLevelSpec } from 'vega-lite';
import type { Report } from './report.ts';
import type { Second } from './series.ts';

export interface Plot {
  readonly title: string;
  readonly note: string;
  /** SVG at the width of a desk and of a phone: labels stay readable on both */
  readonly wide: string;
  readonly narrow: string;
}

/** px, of what is drawn; the page scales it to what is there */
const WIDE = { width: 860, height: 240 };
const NARROW = { width: 300, height: 190 };
/** Points of a line at most: longer runs are put together. */
const POINTS = 400;

/** Hues that can be told apart on white and on black. */
const HUES = { blue: '#4c8bf5', green: '#1f9d74', amber: '#d08a12', red: '#d9455f', grey: '#8a8f98' } as const;
const CODES = [HUES.red, HUES.amber, HUES.blue, HUES.green, '#9a63d8', '#c25b9b', HUES.grey];

type Rows = Record<string, string | number>[];
type Size = typeof WIDE;

/** The plots of a report. Needs vega, which is a development dependency. */
export async function drawReport(report: Report): Promise<Plot[]> {
  const bins = binned(report.seconds);
  const marks = marksOf(report, bins);
  const failed = report.seconds.some(
    ({ errors, read_errors }) => Object.keys({ ...errors, ...read_errors }).length > 0,
  );
  const plots = [
    {
      title: 'Latency',
      note: 'of acknowledged commits, by the second in which the receipt came, from the intended send time; log scale',
      spec: (size: Size) => latency(bins, marks, size),
    },
    { title: 'Commits per second', note: 'offered and acknowledged', spec: (size: Size) => rates(bins, marks, size) },
    {
      title: 'Open commits',
      note: 'sent or waiting, their outcome not known yet',
      spec: (size: Size) => open(bins, marks, size),
    },
    ...(failed
      ? [
          {
            title: 'Failed attempts per second',
            note: 'by code; each was repeated until its outcome was known',
            spec: (size: Size) => errors(bins, marks, size),
          },
        ]
      : []),
  ];
  const drawn: Plot[] = [];
  for (const { title, note, spec } of plots)
    drawn.push({ title, note, wide: await svg(spec(WIDE)), narrow: await svg(spec(NARROW)) });
  return drawn;
}

async function svg(spec: TopLevelSpec): Promise<string> {
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new View(parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Some seconds as one point: means of counts, the worst of latencies. */
interface Bin {
  readonly at: number;
  readonly seconds: readonly Second[];
}

function binned(seconds: readonly Second[]): Bin[] {
  const size = Math.max(1, Math.ceil(seconds.length / POINTS));
  return Array.from({ length: Math.ceil(seconds.length / size) }, (_, i) => {
    const some = seconds.slice(i * size, (i + 1) * size);
    return { at: some[0]?.second ?? 0, seconds: some };
  });
}

const mean = ({ seconds }: Bin, of: (second: Second) => number): number =>
  seconds.reduce((sum, second) => sum + of(second), 0) / Math.max(1, seconds.length);

const LATENCIES = [
  ['p50_ms', '50 %', HUES.blue],
  ['p90_ms', '90 %', HUES.green],
  ['p99_ms', '99 %', HUES.amber],
  ['p999_ms', '99.9 %', HUES.red],
] as const;

function latency(bins: readonly Bin[], marks: Layers, size: Size): TopLevelSpec {
  const values: Rows = bins.flatMap(({ at, seconds }) => {
    const busy = seconds.filter(({ acknowledged }) => acknowledged > 0);
    return busy.length === 0
      ? []
      : LATENCIES.map(([key, share]) => ({ at, share, ms: Math.max(0.1, ...busy.map((second) => second[key])) }));
  });
  return layered(size, marks, {
    data: { values },
    mark: { type: 'line', strokeWidth: 1.5 },
    encoding: {
      x: xOf(bins),
      y: {
        field: 'ms',
        type: 'quantitative',
        scale: { type: 'log' },
        axis: { title: 'ms', values: [0.1, 1, 10, 100, 1000, 10_000, 100_000] },
      },
      color: hues(
        LATENCIES.map(([, share]) => share),
        LATENCIES.map(([, , hue]) => hue),
        'share',
      ),
    },
  });
}

function rates(bins: readonly Bin[], marks: Layers, size: Size): TopLevelSpec {
  const values: Rows = bins.flatMap((bin) => [
    { at: bin.at, what: 'offered', rate: mean(bin, ({ offered }) => offered) },
    { at: bin.at, what: 'acknowledged', rate: mean(bin, ({ acknowledged }) => acknowledged) },
  ]);
  return layered(size, marks, {
    data: { values },
    mark: { type: 'line', strokeWidth: 1.5 },
    encoding: {
      x: xOf(bins),
      y: { field: 'rate', type: 'quantitative', axis: { title: 'per second', tickCount: 5 } },
      color: hues(['offered', 'acknowledged'], [HUES.grey, HUES.blue], 'what'),
    },
  });
}

function open(bins: readonly Bin[], marks: Layers, size: Size): TopLevelSpec {
  const values: Rows = bins.map(({ at, seconds }) => ({ at, open: Math.max(...seconds.map((second) => second.open)) }));
  return layered({ ...size, height: size.height / 2 }, marks, {
    data: { values },
    mark: { type: 'area', color: HUES.amber, opacity: 0.6, line: { color: HUES.amber, strokeWidth: 1.5 } },
    encoding: { x: xOf(bins), y: { field: 'open', type: 'quantitative', axis: { title: 'commits', tickCount: 3 } } },
  });
}

function errors(bins: readonly Bin[], marks: Layers, size: Size): TopLevelSpec {
  const counted = bins.map((bin) => {
    const found = new Map<string, number>();
    for (const { errors, read_errors } of bin.seconds) {
      for (const [code, n] of Object.entries(errors)) found.set(code, (found.get(code) ?? 0) + n);
      for (const [code, n] of Object.entries(read_errors))
        found.set(`${code} (read)`, (found.get(`${code} (read)`) ?? 0) + n);
    }
    return { at: bin.at, length: bin.seconds.length, found };
  });
  const codes = [...new Set(counted.flatMap(({ found }) => [...found.keys()]))].sort();
  const values: Rows = counted.flatMap(({ at, length, found }) =>
    [...found].map(([code, n]) => ({ at, code, rate: n / length })),
  );
  return layered({ ...size, height: size.height / 2 }, marks, {
    data: { values },
    mark: { type: 'bar', width: Math.max(1.5, (size.width / Math.max(1, bins.length)) * 0.9) },
    encoding: {
      x: xOf(bins),
      y: { field: 'rate', type: 'quantitative', stack: 'zero', axis: { title: 'per second', tickCount: 3 } },
      color: hues(codes, CODES, 'code', size, 'square'),
    },
  });
}

/** The same on every plot, so that they can be read one below the other. */
function xOf(bins: readonly Bin[]) {
  const last = bins.at(-1);
  const domain = [0, Math.max(1, (last?.at ?? 0) + (last?.seconds.length ?? 0))];
  return {
    field: 'at',
    type: 'quantitative' as const,
    axis: { title: 'seconds', grid: false, tickCount: 8 },
    scale: { domain, nice: false },
  };
}

function hues(
  domain: readonly string[],
  range: readonly string[],
  field: string,
  size: Size = WIDE,
  symbolType: 'stroke' | 'square' = 'stroke',
) {
  return {
    field,
    type: 'nominal',
    sort: null,
    title: null,
    scale: { domain: [...domain], range: [...range].slice(0, domain.length) },
    legend: {
      orient: 'top',
      symbolType,
      ...(symbolType === 'stroke' ? { symbolStrokeWidth: 3 } : {}),
      columns: size.width < WIDE.width && symbolType === 'square' ? 2 : 4,
      labelLimit: 200,
      offset: 20,
    },
  } as const;
}

type Layers = NonNullable<Extract<TopLevelSpec, { layer: unknown }>['layer']>;

/** Marks as numbered lines, with a band where they last; the page says what the numbers mean. */
function marksOf(report: Report, bins: readonly Bin[]): Layers {
  const start = Date.parse(report.started);
  const end = (bins.at(-1)?.at ?? 0) + 1;
  const values: Rows = report.marks.flatMap(({ at, until }, i) => {
    const from = (at - start) / 1000;
    if (from > end || (until ?? at) < start) return [];
    return [{ at: Math.max(0, from), until: Math.min(end, ((until ?? at) - start) / 1000), n: String(i + 1) }];
  });
  if (values.length === 0) return [];
  const x = { field: 'at', type: 'quantitative' } as const;
  return [
    {
      data: { values },
      mark: { type: 'rect', color: HUES.red, opacity: 0.1 },
      encoding: { x, x2: { field: 'until' } },
    },
    {
      data: { values },
      mark: { type: 'rule', color: HUES.red, strokeDash: [3, 3], opacity: 0.8 },
      encoding: { x },
    },
    {
      data: { values },
      mark: { type: 'text', dy: -6, baseline: 'bottom', fontSize: 11 },
      encoding: { x, y: { value: 0 }, text: { field: 'n', type: 'nominal' } },
    },
  ];
}

function layered(size: Size, marks: Layers, of: Layers[number]): TopLevelSpec {
  return {
    ...size,
    background: 'transparent',
    padding: 4,
    config: {
      font: 'system-ui, sans-serif',
      view: { stroke: null },
      axisY: { minExtent: 48 },
      axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: 'normal', labelFlush: true },
      legend: { labelFontSize: 11 },
    },
    layer: [...marks, of],
  } as TopLevelSpec;
}
