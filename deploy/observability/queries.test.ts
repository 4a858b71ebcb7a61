import assert from 'node:assert/strict';
import { test } from 'node:test';
import { panelQueries, ruleQueries } from './artifacts.ts';
import { readQuery } from './promql.ts';

test('a query is read as Prometheus reads it', () => {
  assert.deepEqual(
    readQuery(
      'sum by (a, b) (rate(x_total{c="1",d!~"2|$three"}[$__rate_interval])) / on (e) group_left (f) y offset 5m',
    ),
    {
      selectors: [
        {
          metric: 'x_total',
          matchers: [
            { label: 'c', op: '=', value: '1' },
            { label: 'd', op: '!~', value: '2|.*' },
          ],
        },
        { metric: 'y', matchers: [] },
      ],
      labels: ['a', 'b', 'e', 'f'],
    },
  );
  for (const wrong of ['sum by (a) (rate(x[5m])', 'rate(x[5m]) >', 'x{y=z}'])
    assert.throws(() => readQuery(wrong), wrong);
});

test('every query of a panel and of a rule is one, and asks for a metric', () => {
  const asked = [...panelQueries(), ...ruleQueries()];
  assert.ok(asked.length > 150, `${asked.length} queries`);
  for (const { where, expr } of asked) {
    const { selectors } = readQuery(expr);
    assert.ok(selectors.length > 0, where);
    for (const { metric } of selectors) assert.match(metric, /^(enc[_:]|nodejs_|process_|up$|ALERTS$)/, where);
  }
});

test('panels are asked of the chosen namespace alone', () => {
  for (const { where, expr } of panelQueries())
    for (const { metric, matchers } of readQuery(expr).selectors)
      assert.ok(
        matchers.some(({ label }) => label === 'namespace'),
        `${where}: ${metric}`,
      );
});
