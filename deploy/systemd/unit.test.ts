import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DRAIN_MS } from '../../shard/shard.ts';
import { findProgram } from '../../test/parts/find-program.ts';

const UNIT = readFileSync(new URL('enc-node.service', import.meta.url), 'utf8');
const ANALYZE = findProgram('systemd-analyze');
const skip = ANALYZE === null ? 'no systemd-analyze (Debian: systemd)' : false;
/** What systemd calls OK begins below 2; the unit has 1.3 (docs/install.md says so). */
const EXPOSURE = 1.5;

const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(UNIT)?.[1] ?? '';

/** The unit as it would be on this machine: the Node that is here. */
function analyze(t: { after(run: () => void): void }, ...args: string[]): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'enc-unit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'enc-node.service');
  assert.match(UNIT, /^ExecStart=\/usr\/bin\/node /m);
  writeFileSync(file, UNIT.replace('ExecStart=/usr/bin/node', `ExecStart=${process.execPath}`));
  const { status, stdout, stderr } = spawnSync(ANALYZE as string, [...args, file], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

test('systemd has nothing to say against the unit', { skip }, (t) => {
  const { status, output } = analyze(t, 'verify', '--man=no', '--recursive-errors=no');
  assert.deepEqual([status, output], [0, '']);
});

test('systemd counts it as little exposed', { skip }, (t) => {
  const { status, output } = analyze(t, 'security', '--offline=yes', '--no-pager', `--threshold=${EXPOSURE * 10}`);
  assert.equal(status, 0, output);
  const [, exposure] = /Overall exposure level .*: ([\d.]+)/.exec(output) ?? [];
  const told = /exposure level ([\d.]+)/.exec(readFileSync(new URL('../../docs/install.md', import.meta.url), 'utf8'));
  assert.equal(exposure, told?.[1]);
});

test('it waits for a whole drain before it kills', () => {
  // Answers under way, then batches and checkpoints: each has that long.
  assert.ok(Number(setting('TimeoutStopSec')) * 1000 > 2 * DRAIN_MS);
});

test('secrets reach neither core files nor swap, nor the environment', () => {
  assert.deepEqual([setting('LimitCORE'), setting('MemorySwapMax')], ['0', '0']);
  assert.match(UNIT, /^Environment=ENC_ADMIN_TOKEN_FILE=%d\/admin-token$/m);
  assert.doesNotMatch(UNIT, /^Environment=.*ENC_ADMIN_TOKEN=/m);
});
