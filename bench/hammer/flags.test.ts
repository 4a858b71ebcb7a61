import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { readFlags } from './flags.ts';
import { LyingNode } from './lying-node.test-util.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** The command in a process of its own, as `npm run hammer` starts it. */
async function command(...args: string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let errors = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (errors += chunk));
  const [code] = (await once(child, 'close')) as [number];
  return { code, lines: out.trimEnd().split('\n'), errors };
}

const parse = (...args: string[]) => readFlags(['--url', 'http://127.0.0.1:8080', ...args]);

test('what is not said has its default', () => {
  const { settings, goals, json, html, marks } = parse();
  assert.equal(settings.rate, 100);
  assert.equal(settings.seconds, 60);
  assert.deepEqual(settings.content, { min: 16, max: 2048 });
  assert.deepEqual(goals, { rate: null, p99: null, gap: null, wait: null });
  assert.deepEqual([json, html, marks], [null, null, null]);
  assert.notEqual(parse().settings.seed, settings.seed);
});

test('times, lengths and goals are read', () => {
  const { settings, goals } = parse('--duration', '1.5m', '--content', '7', '--goal-p99', '250', '--goal-rate', '0');
  assert.equal(settings.seconds, 90);
  assert.deepEqual(settings.content, { min: 7, max: 7 });
  assert.deepEqual(goals, { rate: 0, p99: 250, gap: null, wait: null });
});

test('there are never more threads than enclaves', () => {
  assert.equal(parse('--threads', '8', '--enclaves', '3').settings.threads, 3);
});

for (const wrong of [
  ['--rate', '0'],
  ['--rate', 'fast'],
  ['--duration', '5d'],
  ['--duration', '0'],
  ['--enclaves', '1.5'],
  ['--array-share', '2'],
  ['--array-size', '1001'],
  ['--content', '9-3'],
  ['--url', 'ftp://somewhere'],
  ['--goal-p99', '-1'],
  ['--nonsense'],
]) {
  test(`${wrong.join(' ')} is refused`, (t) => {
    t.mock.method(process.stderr, 'write', () => true);
    assert.throws(
      () => parse(...wrong),
      (error) => error instanceof CommanderError && error.exitCode === 1,
    );
  });
}

test('wrong input ends with 2, help with 0, a node that is not there with 1 and a sentence', async () => {
  const [wrong, help, away] = await Promise.all([
    command('--rate', '5'),
    command('--help'),
    command('--url', 'http://127.0.0.1:1', '--duration', '1'),
  ]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.errors, /--url/);
  assert.equal(help.code, 0);
  assert.match(help.lines.join('\n'), /--max-gap.*The last line is/s);
  assert.equal(away.code, 1);
  assert.match(away.errors, /can't be reached/);
});

test('a run writes its reports, knows its marks, and ends with the line that scripts read', async (t) => {
  await using node = await LyingNode.start();
  const folder = mkdtempSync(join(tmpdir(), 'enc-hammer-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [json, html, marks] = ['json', 'html', 'marks'].map((name) => join(folder, name)) as [string, string, string];
  const at = Date.now() + 1000;
  writeFileSync(marks, `{"at": ${at}, "label": "nothing <at all>", "until": ${at + 500}}\nnot a mark\n`);
  const flags = ['--rate', '60', '--duration', '2', '--enclaves', '2', '--goal-rate', '0'];
  const run = await command('--url', node.url, ...flags, '--json', json, '--html', html, '--marks', marks);
  assert.equal(run.code, 0, run.lines.join('\n'));
  assert.equal(run.lines.at(-1), '122 acknowledged, 0 failed proofs, 0 lost');
  const report = JSON.parse(readFileSync(json, 'utf8'));
  assert.equal(report.verdict.ok, true);
  assert.equal(report.node.name, 'enc-node');
  assert.equal(report.marks.length, 1);
  assert.ok(report.marks[0].gap_ms >= 0 && report.marks[0].slowest_ms > 0);
  assert.ok(report.seconds.length >= 2);
  const page = readFileSync(html, 'utf8');
  assert.equal((page.match(/<svg/g) ?? []).length, 6, 'three plots at two widths');
  assert.match(page, /nothing &lt;at all&gt;/);
  assert.doesNotMatch(page, /<script|<link|src=|@import|url\(/);
});

test('a lie ends with 1', async () => {
  await using node = await LyingNode.start({
    lie: ({ body }, answer) =>
      body?.type === 'Pull'
        ? { ...answer, events: answer.events.filter(({ seq }: { seq: number }) => seq !== 2) }
        : undefined,
  });
  const run = await command(
    '--url',
    node.url,
    '--rate',
    '60',
    '--duration',
    '1',
    '--enclaves',
    '1',
    '--goal-rate',
    '0',
    '--readers',
    '0',
  );
  assert.equal(run.code, 1);
  assert.match(run.lines.at(-1) ?? '', /^61 acknowledged, 1 failed proofs, 1 lost$/);
});
