/**
 * Usual load on many enclaves for a minute: commits one by one and in arrays, and reads beside them.
 *
 *   npm run bench -- corpus
 *   k6 run -e URL=http://127.0.0.1:8080 bench/k6/load.js
 */
import { script } from './lib/script.ts';

export const { options, setup, commits, reads, handleSummary } = script({
  name: 'load',
  what: 'many enclaves in turn',
  hot: false,
  rate: 200,
  batches: 4,
  batch: 50,
  reads: 20,
  duration: '60s',
  p99Ms: 250,
  long: false,
});
