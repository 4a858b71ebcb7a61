import { OBJECTIVES, ratio } from '../rules/objectives.ts';
import { ALL, graph, OVER, ours, type Page, quantiles, stat } from './panel.ts';

const POSTS = `${ALL},call="post",outcome="ok"`;
const { availability, latency } = OBJECTIVES;

export const OVERVIEW: Page = {
  uid: 'enc-overview',
  title: 'enc-node / Overview',
  help: 'What clients see, how much of the error budget is left, and whether all parts are there.',
  roles: null,
  rows: {
    'Right now': [
      stat({
        title: 'Answers per second',
        help: 'Answers of the public API; each commit of an array counts.',
        unit: 'ops',
        queries: { answers: `sum(rate(enc_answers_total{${ALL}}${OVER}))` },
      }),
      stat({
        title: 'Failed answers',
        help: 'Share of answers that failed through no fault of the caller (5xx).',
        unit: 'percentunit',
        queries: {
          failed: `sum(rate(enc_answers_total{${ALL},outcome="failed"}${OVER})) / sum(rate(enc_answers_total{${ALL}}${OVER}))`,
        },
        warn: 0.001,
        alarm: 0.01,
      }),
      stat({
        title: 'Latency of commits, p99',
        help: 'Arrival of a call until its receipts leave, at the public API.',
        unit: 's',
        queries: {
          p99: `histogram_quantile(0.99, sum by (le) (rate(enc_answer_seconds_bucket{${POSTS}}${OVER})))`,
        },
        warn: latency.seconds,
        alarm: 1,
      }),
      stat({
        title: 'Shards missing',
        help: 'Shards of the topology that no heartbeat counts of. Others serve their enclaves meanwhile.',
        unit: 'none',
        queries: { missing: `max(enc_router_shards{${ALL}} - enc_router_live_shards{${ALL}})` },
        warn: 1,
      }),
      stat({
        title: 'Regressed enclaves asked for',
        help: 'Attempts in the last hour to open an enclave whose log lacks what was released. Must be 0.',
        unit: 'none',
        queries: { attempts: `sum(increase(enc_regressed_opens_total{${ALL}}[1h]))` },
        alarm: 1,
      }),
      stat({
        title: 'Alerts firing',
        help: 'Of this product. Each has a runbook in docs/runbooks.',
        unit: 'none',
        queries: { firing: `count(ALERTS{${ALL},alertname=~"Enc.*",alertstate="firing"}) or vector(0)` },
        warn: 1,
      }),
    ],
    'What clients see': [
      graph({
        title: 'Answers by outcome',
        help: 'ok; refused: the caller must change something (4xx); failed: the operator must (5xx).',
        unit: 'ops',
        stacked: true,
        queries: { '{{outcome}}': `sum by (outcome) (rate(enc_answers_total{${ALL}}${OVER}))` },
      }),
      graph({
        title: 'Error answers by code',
        help: 'Codes as the API page lists them. Routers and shards both count: a retry by a router shows at the shard only.',
        unit: 'ops',
        queries: { '{{code}}': `sum by (code) (rate(enc_errors_total{${ALL}}${OVER})) > 0` },
      }),
      graph({
        title: 'Latency of commits',
        help: 'Of calls that were answered `ok`, at the public API. Twice what shards say points to the links.',
        unit: 's',
        queries: quantiles('enc_answer_seconds_bucket', POSTS),
      }),
      graph({
        title: 'Latency by kind of call, p99',
        help: 'query: until a streamed answer begins. operator: snapshots, restores, closing of bundles.',
        unit: 's',
        queries: {
          '{{call}}': `histogram_quantile(0.99, sum by (call, le) (rate(enc_answer_seconds_bucket{${ALL},outcome="ok"}${OVER})))`,
        },
      }),
      graph({
        title: 'Events released',
        help: 'Accepted commits that are durable in log and guard.',
        unit: 'ops',
        queries: { events: `sum(rate(enc_events_total{${ALL}}${OVER}))` },
      }),
      graph({
        title: 'Retries answered again',
        help: 'Commits sent again by clients or routers, and answered with the original receipt. Grows after faults.',
        unit: 'ops',
        queries: { duplicates: `sum(rate(enc_duplicate_commits_total{${ALL}}${OVER}))` },
      }),
    ],
    Objectives: [
      graph({
        title: 'Burn of the availability budget',
        help: `1 uses up exactly what ${(1 - availability.budget) * 100} % allow; alerts begin at 14.4 over an hour.`,
        unit: 'none',
        span: 12,
        queries: {
          '1 hour': `${ratio('answers_failed', '1h')}{${ALL}} / ${availability.budget}`,
          '6 hours': `${ratio('answers_failed', '6h')}{${ALL}} / ${availability.budget}`,
        },
      }),
      graph({
        title: 'Burn of the latency budget',
        help: `1 uses up exactly what ${(1 - latency.budget) * 100} % within ${latency.seconds * 1000} ms allow.`,
        unit: 'none',
        span: 12,
        queries: {
          '1 hour': `${ratio('commits_slow', '1h')}{${ALL}} / ${latency.budget}`,
          '6 hours': `${ratio('commits_slow', '6h')}{${ALL}} / ${latency.budget}`,
        },
      }),
    ],
    'What is there': [
      graph({
        title: 'Processes by role and version',
        help: 'More than one version for long is a rollout that is stuck.',
        unit: 'none',
        queries: { '{{role}} {{version}}': `count by (role, version) (enc_build_info{${ALL}})` },
      }),
      graph({
        title: 'Enclaves in memory',
        help: 'Open enclaves. Others sleep in the log and are opened by their next request.',
        unit: 'none',
        stacked: true,
        queries: { '{{instance}}': `enc_active_enclaves{${ALL}}` },
      }),
      graph({
        title: 'CPU',
        help: 'Cores in use. A process of this product uses about one for its event loop, and a shard two more for signatures.',
        unit: 'none',
        queries: { '{{instance}}': ours(`rate(process_cpu_seconds_total{${ALL}}${OVER})`, ALL) },
      }),
    ],
  },
};
