import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Machine } from './machine.ts';
import { drawPlots } from './plots.ts';
import { type BenchResult, rounded } from './result.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** Makes these the published figures: bench/results/, the plots, and every figure that a page quotes from them. */
export async function publish(results: readonly BenchResult[], where: Machine): Promise<void> {
  mkdirSync(`${ROOT}bench/results`, { recursive: true });
  writeJson(`${ROOT}bench/results/all.json`, results);
  writeJson(`${ROOT}bench/results/machine.json`, rounded(where));
  await drawPlots(results, `${ROOT}docs/plots`);
  execFileSync(process.execPath, ['scripts/figures.ts'], { cwd: ROOT, stdio: 'inherit' });
}
