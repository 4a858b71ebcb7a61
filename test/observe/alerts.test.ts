import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ruleQueries } from '../../deploy/observability/artifacts.ts';
import { ALERT_NAMES } from '../../deploy/observability/rules/groups.ts';
import { noPrometheus } from '../parts/prometheus.ts';
import { missing } from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';
import { DRILLS, type Scene } from './drills.ts';
import { House } from './house.ts';
import { Traffic } from './traffic.ts';

const DEADLINE_MS = 30_000;

/** What a busy machine may bring about by itself, and the one node here that does without libsecp256k1. */
const ANYHOW = [
  ...['EncStoreSlow', 'EncCommitsSlowFast', 'EncCommitsSlowSlowly', 'EncEventLoopLate', 'EncProcessDown'],
  'EncSlowSignatures',
];

/** No fault here makes them; the page of runbooks says where they were tried. */
const ELSEWHERE = ['EncProcessRestarts', 'EncCryptoWorkerDied', 'EncDiskFills', 'EncFilesRunOut', 'EncArchiveBehind'];

describe('faults, and the alerts that tell of them', { skip: noPrometheus || missing }, () => {
  const rules = new Map(ruleQueries().map(({ where, expr }) => [where, expr]));
  let scene: Scene;

  before(async () => {
    const house = await House.open();
    const [node, cluster] = [
      new Traffic(house.node.url),
      new Traffic(house.cluster.url, () => Date.now() + house.skew),
    ];
    scene = { house, node, cluster };
    await node.foundOnAll(1);
    await cluster.foundOnAll(2);
  });
  after(() => scene?.house[Symbol.asyncDispose]());

  /** Is there anything that the alert would fire of, if it went on for long enough? */
  const is = async (alert: string): Promise<boolean> =>
    (await scene.house.prometheus.query(rules.get(alert) ?? '')).length > 0;

  test('without faults there is nothing to tell of', async () => {
    for (let i = 0; i < 3; i++) await Promise.all([scene.node.round(), scene.cluster.round()]);
    await waitFor('Prometheus to see it', DEADLINE_MS, async () => {
      return (await scene.house.prometheus.query('enc_events_total > 2')).length === 3;
    });
    for (const alert of ALERT_NAMES)
      if (!ANYHOW.includes(alert)) assert.equal(await is(alert), false, `${alert}: ${rules.get(alert)}`);
    assert.equal(await is('EncSlowSignatures'), true);
  });

  for (const { what, alerts, end, provoke } of DRILLS)
    test(`${what}: ${alerts.join(', ')}`, async () => {
      await scene.house.lookAnew();
      for (const alert of alerts) if (!ANYHOW.includes(alert)) assert.equal(await is(alert), false, `${alert} before`);
      const { again, mend } = await provoke(scene);
      const seen = new Set<string>();
      await waitFor('its alerts', DEADLINE_MS, async () => {
        for (const alert of alerts) if (await is(alert)) seen.add(alert);
        const left = alerts.filter((alert) => !seen.has(alert));
        if (left.length === 0) return true;
        await again?.();
        throw new Error(left.join(', '));
      });
      await mend?.();
      await waitFor('its end', DEADLINE_MS, async () => {
        for (const alert of end) if (await is(alert)) throw new Error(alert);
        return true;
      });
    });

  test('every alert has been tried here, or is named', () => {
    const tried = new Set<string>([...DRILLS.flatMap(({ alerts }) => alerts), 'EncSlowSignatures']);
    assert.deepEqual(ALERT_NAMES.filter((alert) => !tried.has(alert)).sort(), [...ELSEWHERE].sort());
  });
});
