import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { panelQueries, ruleQueries } from '../../deploy/observability/artifacts.ts';
import { readQuery } from '../../deploy/observability/promql.ts';
import { noPrometheus } from '../parts/prometheus.ts';
import { missing } from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';
import { Exposed } from './exposed.ts';
import { House } from './house.ts';
import { Traffic } from './traffic.ts';

const DEADLINE_MS = 40_000;

/** Panels that show nothing while nothing is wrong. */
const EMPTY: readonly (readonly [RegExp, string])[] = [[/: Failures of Redis: /, 'no connection to Redis has failed']];

describe('what is exported, and what is asked for', { skip: noPrometheus || missing }, () => {
  let house: House;
  let clients: Traffic[];
  const rules = ruleQueries();

  before(async () => {
    house = await House.open();
    clients = [new Traffic(house.node.url), new Traffic(house.cluster.url, () => Date.now() + house.skew)];
    for (const [i, client] of clients.entries()) await client.foundOnAll(i + 1);
  });
  after(() => house?.[Symbol.asyncDispose]());

  const asked = (expr: string): string =>
    expr.replaceAll('$__rate_interval', '10s').replaceAll('$namespace', '.*').replaceAll('$instance', '.*');
  const round = (): Promise<unknown> => Promise.all(clients.map((client) => client.round()));

  test('every panel shows something of a run with traffic and errors', async () => {
    const open = new Map(panelQueries().map(({ where, expr }) => [where, asked(expr)]));
    const expected = [...open.keys()].filter((where) => !EMPTY.some(([panel]) => panel.test(where)));
    const shown = new Map<string, string>();
    await waitFor('data in every panel', DEADLINE_MS, async () => {
      await round();
      for (const [where, expr] of open) {
        const samples = (await house.prometheus.query(expr)).filter(({ value }) => Number.isFinite(value));
        if (samples.length > 0) shown.set(where, `${samples.length} × ${samples[0]?.value}`);
      }
      const left = expected.filter((where) => !shown.has(where));
      if (left.length > 0) throw new Error(left.join('\n'));
      return true;
    });
    for (const [where] of open) {
      const reason = EMPTY.find(([panel]) => panel.test(where))?.[1];
      console.log(`${where.padEnd(78)} ${shown.get(where) ?? `nothing: ${reason}`}`);
      if (reason !== undefined) assert.ok(!shown.has(where), `${where} is not empty`);
    }
  });

  test('every metric and label that panels and rules ask for is exported', async () => {
    const texts = await Promise.all(house.targets.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
    const exposed = new Exposed(
      texts,
      rules.map(({ where }) => where),
    );
    for (const { where, expr } of [...panelQueries(), ...rules])
      assert.equal(exposed.lacks(readQuery(expr)), null, `${where}: ${expr}`);
    // What this check itself would find.
    for (const wrong of [
      'enc_nothing_total',
      'enc_answers_total{result="ok"}',
      'enc_answers_total{outcome="bad"}',
      'sum by (shard) (enc_events_total)',
    ])
      assert.notEqual(exposed.lacks(readQuery(wrong)), null, wrong);
    const secrets = clients.flatMap(({ enclaves }) => enclaves.flatMap(({ id, sequencer }) => [id, sequencer]));
    for (const text of texts) for (const secret of secrets) assert.ok(!text.includes(secret));
  });
});
