import { ALL, CHOSEN, graph, OVER, type Page, quantiles } from './panel.ts';
import { processRow } from './process-row.ts';

const rate = (metric: string): string => `sum(rate(${metric}{${CHOSEN}}${OVER}))`;

export const ROUTER: Page = {
  uid: 'enc-router',
  title: 'enc-node / Router',
  help: 'The routers of a cluster: what they answer, and how they get on with the shards.',
  roles: 'router',
  rows: {
    'Rate, errors, latency': [
      graph({
        title: 'Answers by router',
        help: 'A router with much less than the others has lost its place behind what distributes connections.',
        unit: 'ops',
        queries: { '{{instance}}': `sum by (instance) (rate(enc_answers_total{${CHOSEN}}${OVER}))` },
      }),
      graph({
        title: 'Failed answers by router',
        help: 'Answers 5xx. All routers alike: look at shards and stores; one alone: look at its links.',
        unit: 'ops',
        queries: { '{{instance}}': `sum by (instance) (rate(enc_answers_total{${CHOSEN},outcome="failed"}${OVER}))` },
      }),
      graph({
        title: 'Latency by router',
        help: 'Of commits that were answered `ok`.',
        unit: 's',
        queries: quantiles('enc_answer_seconds_bucket', `${CHOSEN},call="post",outcome="ok"`, ['instance']),
      }),
    ],
    Shards: [
      graph({
        title: 'Shards that can be asked',
        help: 'reachable: linked, alive and not draining; alive: a heartbeat counts; topology: how many there should be.',
        unit: 'none',
        queries: {
          '{{instance}} reachable': `enc_router_reachable_shards{${CHOSEN}}`,
          '{{instance}} alive': `enc_router_live_shards{${CHOSEN}}`,
          topology: `max(enc_router_shards{${CHOSEN}})`,
        },
      }),
      graph({
        title: 'Links down',
        help: 'Routers that have no link to a shard, by shard. One router alone: the network between the two.',
        unit: 'none',
        queries: { 'shard {{shard}}': `sum by (shard) (1 - enc_router_link_up{${CHOSEN}})` },
      }),
      graph({
        title: 'Requests under way by shard',
        help: 'ENC_LINK_REQUESTS on one link at most. A shard that stands out is slow, or has the hot enclaves.',
        unit: 'none',
        queries: { 'shard {{shard}}': `sum by (shard) (enc_router_link_requests{${CHOSEN}})` },
      }),
      graph({
        title: 'Sent again',
        help: 'retries: once more, for any reason; moved: another shard has the enclave; stale: an older topology; links: broke or could not be made.',
        unit: 'ops',
        queries: {
          retries: rate('enc_router_retries_total'),
          moved: rate('enc_router_moved_total'),
          stale: rate('enc_router_stale_total'),
          links: rate('enc_router_links_lost_total'),
        },
      }),
      graph({
        title: 'Given up',
        help: 'expired: no shard answered within ENC_ROUTER_TIMEOUT_MS (unavailable); full: a link had no room (overloaded).',
        unit: 'ops',
        queries: { expired: rate('enc_router_expired_total'), full: rate('enc_router_full_links_total') },
      }),
      graph({
        title: 'Topology version',
        help: 'All the same within a second of a change.',
        unit: 'none',
        queries: {
          '{{instance}}': `enc_router_topology_version{${CHOSEN}}`,
          'shard {{instance}}': `enc_shard_topology_version{${ALL}}`,
        },
      }),
    ],
    Queues: [
      graph({
        title: 'Requests that wait for a shard',
        help: '16,384 at most; more are overloaded. Above 0 for long: no shard that could take them.',
        unit: 'none',
        queries: { '{{instance}}': `enc_router_waiting_requests{${CHOSEN}}` },
      }),
      graph({
        title: 'Bodies under way',
        help: 'Share of ENC_MAX_PENDING_BYTES; beyond it calls are overloaded.',
        unit: 'percentunit',
        max: 1,
        queries: {
          '{{instance}}': `enc_router_pending_bytes{${CHOSEN}} / on (namespace, job, instance) enc_pending_limit_bytes{${CHOSEN}}`,
        },
      }),
      graph({
        title: 'Topology store',
        help: '0: topology and heartbeats cannot be read; routers and shards go on with what they saw last.',
        unit: 'none',
        max: 1,
        queries: { '{{instance}}': `enc_topology_store_reachable{${CHOSEN}}` },
      }),
    ],
    Process: processRow('The router'),
  },
};
