import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readQuery } from '../../deploy/observability/promql.ts';
import { ALERT_NAMES, anchorOf } from '../../deploy/observability/rules/groups.ts';
import { SCENARIOS } from '../faults/runs.ts';
import { DRILLS } from './drills.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(ROOT, 'docs/runbooks/alerts.md'), 'utf8');
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text.replaceAll(/\s+/g, ' ')]),
);

test('every alert has a runbook that its rule names, and every runbook an alert', () => {
  assert.deepEqual([...sections.keys()].sort(), [...ALERT_NAMES].sort());
  const rules = ['alerts', 'objectives'].map((name) =>
    readFileSync(join(ROOT, `helm/enc-node/files/rules/enc-${name}.yaml`), 'utf8'),
  );
  for (const name of ALERT_NAMES) {
    const rule = rules.join('').split(`alert: ${name}\n`)[1] ?? '';
    assert.equal(/runbook_url: (\S+)/.exec(rule)?.[1], `docs/runbooks/alerts.md#${anchorOf(name)}`);
    const severity = /severity: (\w+)/.exec(rule)?.[1];
    assert.ok(sections.get(name)?.startsWith(`${name} ${severity}. **Means** `), name);
    for (const part of ['**Clients see**', '**Look**', '**Do**', '**Tried**'])
      assert.equal(sections.get(name)?.split(part).length, 2, `${name}: ${part}`);
  }
});

test('what a runbook says to have been tried is there', () => {
  for (const [name, text] of sections) {
    const tried = text.slice(text.indexOf('**Tried**'));
    const drills = /Tried\*\* drills/.test(tried)
      ? [...tried.matchAll(/"([^"]+)"/g)].map(([, drill]) => drill as string)
      : [];
    for (const drill of drills) {
      const known = DRILLS.find(({ what }) => what.startsWith(drill));
      assert.ok(known, `${name}: ${drill}`);
    }
    const here = DRILLS.filter(({ alerts }) => (alerts as readonly string[]).includes(name));
    if (here.length > 0)
      assert.ok(
        here.some(({ what }) => drills.some((drill) => what.startsWith(drill))),
        `${name}: ${tried}`,
      );
    for (const [, path] of tried.matchAll(/`((?:test|shard|deploy)\/[^` ]+)`/g))
      assert.ok(existsSync(join(ROOT, path as string)), `${name}: ${path}`);
    for (const [, scenario] of tried.matchAll(/--scenario ([\w-]+)/g))
      assert.ok(Object.hasOwn(SCENARIOS, scenario as string), `${name}: ${scenario}`);
  }
});

test('queries of runbooks are PromQL', () => {
  let queries = 0;
  for (const [name, text] of sections)
    for (const [, code = ''] of text.matchAll(/`([^`]+)`/g)) {
      if (!/^(sum|min|max|count|rate|increase|changes|enc_|up|nodejs_|process_)[ ({=_\w]/.test(code)) continue;
      assert.doesNotThrow(() => readQuery(code), `${name}: ${code}`);
      queries++;
    }
  assert.ok(queries > 50, `${queries} queries`);
});
