import { parseArgs } from 'node:util';
import { Checks } from './checks.ts';
import { smokeCode } from './code-checks.ts';
import { smokeNode } from './node-checks.ts';

const HELP = `npm run smoke [-- --url URL]

Without a URL: the codec and both kernels, with nothing running, in less than a second.
With a URL: the same, and then that node: create, commit, read, prove. Needs no key and no token.
`;

const { values } = parseArgs({
  options: { url: { type: 'string' }, help: { type: 'boolean' }, json: { type: 'string' } },
});
if (values.help) process.stdout.write(HELP);
else {
  const checks = new Checks();
  await smokeCode(checks);
  if (values.url) await smokeNode(checks, values.url.replace(/\/$/, ''));
  process.exitCode = checks.finish(values.json);
}
