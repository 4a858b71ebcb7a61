/**
 * `npm run hammer -- --url U --rate R --duration D` (ARCHITECTURE §9, docs/hammer.md). The last line is
 * `N acknowledged, F failed proofs, L lost`; exits 0 only if the verdict is good, 1 if not or if it can't begin, 2 on wrong
 * input.
 */
import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { CommanderError } from 'commander';
import { readFlags } from './flags.ts';
import { hammer } from './hammer.ts';
import { reportPage } from './report-page.ts';
import { makeScreen } from './screen.ts';
import { summary } from './summary.ts';

async function main(): Promise<number> {
  const { settings, goals, marks, json, html } = readFlags(process.argv.slice(2));
  // Better now than after an hour.
  for (const file of [json, html]) if (file !== null) accessSync(dirname(file), constants.W_OK);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(1);
      console.error('no more load: verifying what was acknowledged (once more: stop at once)');
      stop.abort();
    });
  }
  console.log(
    `hammering ${settings.url}: ${settings.rate}/s for ${settings.seconds} s over ${settings.enclaves} enclaves, ${settings.threads} threads, seed ${settings.seed}`,
  );
  const screen = makeScreen(process.stdout);
  const report = await hammer({ settings, goals, marks, stop: stop.signal, show: (sight) => screen.show(sight) });
  screen.end();
  if (json !== null) writeFileSync(json, `${JSON.stringify(report, null, 1)}\n`);
  if (html !== null) writeFileSync(html, await reportPage(report));
  for (const line of summary(report)) console.log(line);
  return report.verdict.ok ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
