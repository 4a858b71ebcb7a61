/**
 * Moderate load on many enclaves for hours. No signed commit is good for so long, so they are signed meanwhile:
 *
 *   npm run bench -- corpus --serve 8070
 *   k6 run -e URL=http://127.0.0.1:8080 -e CORPUS=http://127.0.0.1:8070 bench/k6/soak.js
 */
import { script } from './lib/script.ts';

export const { options, setup, commits, reads, handleSummary } = script({
  name: 'soak',
  what: 'many enclaves in turn',
  hot: false,
  rate: 100,
  batches: 2,
  batch: 50,
  reads: 10,
  duration: '2h',
  p99Ms: 250,
  long: true,
});
