import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { ALERT_NAMES, type AlertName } from './rules/groups.ts';
import type { Scene } from './tests/case.ts';
import { CASES } from './tests/cases.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RULES = ['objectives', 'alerts'].map((name) => join(ROOT, `helm/enc-node/files/rules/enc-${name}.yaml`));

const promtool = (...args: string[]) => spawnSync('promtool', args, { encoding: 'utf8' });
const skip = promtool('--version').error ? 'promtool is not here (Debian package prometheus)' : false;

test('promtool finds nothing wrong with the rules', { skip }, () => {
  const { status, stdout, stderr } = promtool('check', 'rules', '--lint-fatal', ...RULES);
  assert.equal(status, 0, stdout + stderr);
});

test('every alert fires when it must, and only then', { skip }, (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-rules-'));
  context.after(() => rmSync(folder, { recursive: true }));
  let tested = 0;
  for (const [i, rules] of RULES.entries()) {
    const text = readFileSync(rules, 'utf8');
    const names = ALERT_NAMES.filter((alert) => text.includes(`alert: ${alert}\n`));
    const tests = names.flatMap((alert) => [
      unit(alert, 'fires', CASES[alert].fires, 1),
      unit(alert, 'stays quiet', CASES[alert].quiet, 0),
    ]);
    const file = join(folder, `${i}.test.yaml`);
    writeFileSync(file, stringify({ rule_files: [rules], evaluation_interval: '1m', tests }, { lineWidth: 0 }));
    const { status, stdout, stderr } = promtool('test', 'rules', file);
    assert.equal(status, 0, stdout + stderr);
    tested += names.length;
  }
  assert.equal(tested, ALERT_NAMES.length);
});

/** As promtool reads a test: whoever is counted firing carries whatever labels. */
function unit(alert: AlertName, what: string, { series, at = '20m' }: Scene, firing: number): object {
  return {
    name: `${alert} ${what}`,
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: at,
        exp_samples: firing === 0 ? [] : [{ labels: '{}', value: firing }],
      },
    ],
  };
}
