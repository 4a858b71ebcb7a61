/**
 * Does this node or cluster work? One VU, once, some seconds, nothing to prepare:
 *
 *   k6 run [-e URL=http://127.0.0.1:8080] bench/k6/smoke.js
 */
import { smoke } from './lib/smoke.ts';
import { kept, latencies, summaryOf, TREND_STATS } from './lib/summary.ts';

export const options = {
  vus: 1,
  iterations: 1,
  thresholds: { checks: ['rate==1'], http_req_duration: ['p(99)<5000'] },
  summaryTrendStats: TREND_STATS,
};

export default smoke;

export function handleSummary(data) {
  const met = kept(data, ['checks', 'http_req_duration']);
  const row = {
    name: 'k6-smoke',
    what: 'one enclave from its Manifest on, every receipt verified',
    must: 'all checks',
    met,
  };
  return summaryOf([{ ...row, ...latencies(data, 'http_req_duration') }]);
}
