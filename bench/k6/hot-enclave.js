/**
 * All load on one enclave with 1,000 authors for a minute: what a single log, one after the other, can take.
 *
 *   npm run bench -- corpus --one
 *   k6 run -e URL=http://127.0.0.1:8080 bench/k6/hot-enclave.js
 */
import { script } from './lib/script.ts';

export const { options, setup, commits, reads, handleSummary } = script({
  name: 'hot-enclave',
  what: 'one enclave of 1,000 authors',
  hot: true,
  rate: 400,
  batches: 8,
  batch: 50,
  reads: 20,
  duration: '60s',
  p99Ms: 250,
  long: false,
});
