/**
 * The one starter behind every `npm run X -- args`: a command's name → its entry (ARCHITECTURE §9).
 */
import { launch } from './launch.mjs';

const ENTRIES = {
  start: 'shard/main.ts',
  cluster: 'cluster/local/main.ts',
  test: 'test/run.ts',
  'test:kube': 'test/kube/main.ts',
  smoke: 'test/smoke/main.ts',
  check: 'scripts/check.ts',
  'build:wasm': 'kernel/build.ts',
  parity: 'test/parity/main.ts',
  fuzz: 'test/fuzz/main.ts',
  faults: 'test/faults/main.ts',
  bench: 'bench/main.ts',
  hammer: 'bench/hammer/main.ts',
  observability: 'deploy/observability/generate.ts',
};

const [command, ...args] = process.argv.slice(2);
const entry = Object.hasOwn(ENTRIES, command ?? '') ? ENTRIES[command] : undefined;
if (entry) await launch(entry, args);
else {
  console.error(`usage: node bin/start.mjs ${Object.keys(ENTRIES).join('|')} [arguments]`);
  process.exit(2);
}
