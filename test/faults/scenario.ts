import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from './random.ts';
import type { Tally } from './tally.ts';

/** What a scenario needs; it returns the violations that it found. */
export interface RunContext {
  readonly random: Random;
  readonly tally: Tally;
  /** a folder of this run's own, removed afterwards */
  readonly folder: string;
}

export type Scenario = (context: RunContext) => Promise<string[]>;

/** The scenario can't be run on this machine; the reason is printed. */
export class Skipped extends Error {}

export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'enc-faults-'));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
