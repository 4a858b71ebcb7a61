import type { BenchResult } from './result.ts';

const [OPEN, CLOSE] = ['<!-- k6 -->', '<!-- /k6 -->'];
const FILE = 'bench/results/k6.json';

/** `page` with a table of these rows, quoted from FILE, where it marks that it belongs. Throws if it marks no place. */
export function withK6Table(page: string, rows: readonly BenchResult[]): string {
  const [start, end] = [page.indexOf(OPEN), page.indexOf(CLOSE)];
  if (start < 0 || end < start) throw new Error(`the page has no ${OPEN} … ${CLOSE}`);
  return `${page.slice(0, start + OPEN.length)}\n${k6Table(rows)}\n${page.slice(end)}`;
}

function k6Table(rows: readonly BenchResult[]): string {
  const figure = (name: string, path: string): string => `<!-- figure ${FILE} ${name}.${path} --><!-- /figure -->`;
  const lines = rows.map(({ name }) => {
    const cells = ['what', 'rate 0', 'p50_ms 1', 'p99_ms 1', 'must', 'met'].map((path) => figure(name, path));
    return `| ${cells.join(' | ')} |`;
  });
  const run = (path: string): string => figure('k6-run', path);
  return [
    '| | per second | p50, ms | p99, ms | must | met |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
    `On ${run('cores')} × ${run('cpu')}, generator and node on the same machine, ${run('measured')}; load average before: ${run('load 1')}.`,
  ].join('\n');
}
