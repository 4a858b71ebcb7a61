import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { capacity } from './capacity.ts';
import { withK6Table } from './k6-table.ts';
import type { Machine } from './machine.ts';
import { drawPlots } from './plots.ts';
import { type BenchResult, rounded } from './result.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RESULTS = `${ROOT}bench/results`;
const CLUSTER = `${RESULTS}/cluster.json`;

/** Rows by the bench that measured them. */
export type Measured = ReadonlyMap<string, readonly BenchResult[]>;

export function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** Makes these the published figures of docs/performance.md: bench/results/, the plots, and every figure quoted from them. */
export async function publishNode(measured: Measured, where: Machine): Promise<void> {
  const results = [...measured.values()].flat();
  mkdirSync(RESULTS, { recursive: true });
  writeJson(`${RESULTS}/all.json`, results);
  writeJson(`${RESULTS}/machine.json`, rounded(where));
  await drawPlots(results, `${ROOT}docs/plots`);
  quote();
}

/**
 * Makes these the published figures of docs/capacity.md. A run of all of it is long, so each bench may be published alone:
 * it replaces its own rows, with a row that says when and where it was run; what a fleet needs is computed anew.
 */
export function publishCluster(measured: Measured, where: Machine): void {
  mkdirSync(RESULTS, { recursive: true });
  const kept: BenchResult[] = existsSync(CLUSTER) ? JSON.parse(readFileSync(CLUSTER, 'utf8')) : [];
  const rows = kept.filter(({ bench }) => bench !== 'capacity' && !measured.has(String(bench)));
  for (const [bench, results] of measured) {
    const { sync_p99_ms: _, ...machine } = rounded(where);
    rows.push({ name: `${bench}-run`, what: 'where and when the rows of this bench were measured', bench, ...machine });
    rows.push(...results.map((row) => ({ ...row, bench })));
  }
  writeJson(CLUSTER, [...rows, ...capacity(rows).map((row) => ({ ...rounded(row), bench: 'capacity' }))]);
  quote();
}

/** Makes these the published figures of k6 in docs/performance.md: they are few, and replaced together. */
export function publishK6(results: readonly BenchResult[], where: Machine): void {
  mkdirSync(RESULTS, { recursive: true });
  const run = { name: 'k6-run', what: 'where and when k6 was run', ...rounded(where) };
  writeJson(`${RESULTS}/k6.json`, [run, ...results]);
  const page = `${ROOT}docs/performance.md`;
  writeFileSync(page, withK6Table(readFileSync(page, 'utf8'), results));
  quote();
}

function quote(): void {
  execFileSync(process.execPath, ['scripts/figures.ts'], { cwd: ROOT, stdio: 'inherit' });
}
