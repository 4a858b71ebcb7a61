import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { machine } from './machine.ts';
import { publishK6 } from './publish.ts';
import { type BenchResult, missed, rounded, table } from './result.ts';

/** `npm run bench -- report`: rows that others have written, k6 among them, as one table. */
export function reportCommand(): Command {
  return new Command('report')
    .description(
      'Prints rows out of JSON files (k6 with -e JSON=FILE, --json of a bench). Exits 1 if a must was missed.',
    )
    .argument('<files...>')
    .option('--page', 'publish them as the figures of k6 in docs/performance.md: measured on this machine, today')
    .action((files: string[], { page }: { page?: true }) => {
      const rows = files.flatMap(rowsOf).map(rounded);
      if (page) publishK6(rows, machine());
      const failed = missed(rows);
      if (failed.length > 0) console.log(`missed: ${failed.join(', ')}`);
      console.log(table(rows));
      process.exitCode = failed.length > 0 ? 1 : 0;
    });
}

function rowsOf(file: string): BenchResult[] {
  const rows: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (!Array.isArray(rows) || !rows.every((row) => typeof row?.name === 'string' && typeof row.what === 'string'))
    throw new Error(`${file}: no rows of a report`);
  return rows;
}
