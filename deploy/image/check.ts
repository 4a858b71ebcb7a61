/**
 * Run while the image is built: `check.ts VERSION KERNEL_SHA256`. Fails with a sentence if the labels would say something
 * else than what is in the image, or if the fast signatures are not there.
 */

import { wasmSha256 } from '../../kernel/wasm-module.ts';
import manifest from '../../package.json' with { type: 'json' };
import { openSecp256k1 } from '../../shard/crypto/open.ts';

const [version, kernel] = process.argv.slice(2);
const is = await wasmSha256();
const wrong = [
  version === manifest.version ? [] : [`VERSION is ${version}, and package.json says ${manifest.version}`],
  kernel === is ? [] : [`KERNEL_SHA256 is ${kernel}, and the kernel is ${is}`],
].flat();
try {
  openSecp256k1('native');
} catch (error) {
  wrong.push(error instanceof Error ? error.message : String(error));
}
for (const line of wrong) process.stderr.write(`${line}\n`);
process.exit(wrong.length === 0 ? 0 : 1);
