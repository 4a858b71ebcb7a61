import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Backend } from './backend.ts';
import { KeyCache } from './key-cache.ts';
import { openNative } from './native.ts';
import { openSecp256k1 } from './open.ts';
import { seeded } from './seeded.test-util.ts';

const backends: Backend[] = [openSecp256k1('wasm')];
const native = openNative();
if (native) backends.push(native);

for (const backend of backends) {
  test(`${backend.name}: remembered keys verify just what the back end verifies, also when they come and go`, (t) => {
    const seed = Number(process.env['ENC_TEST_SEED'] ?? 77);
    t.diagnostic(`seed ${seed}`);
    const random = seeded(seed);
    const cache = new KeyCache(backend, 6);
    const authors = Array.from({ length: 9 }, () => {
      const secret = random.bytes(32);
      return { secret, pub: backend.publicKey(secret) as Uint8Array };
    });
    for (let round = 0; round < 60; round++) {
      const { secret, pub } = authors[Math.floor(random.bytes(1)[0]! / 32) % 9] as (typeof authors)[number];
      const other = authors[round % 9] as (typeof authors)[number];
      const hash = random.bytes(32);
      const sig = backend.signSchnorr(secret, hash);
      assert.ok(cache.verifySchnorr(pub, hash, sig));
      assert.ok(!cache.verifySchnorr(pub, random.flip(hash), sig));
      assert.ok(!cache.verifySchnorr(pub, hash, random.flip(sig)));
      assert.ok(other.pub === pub || !cache.verifySchnorr(other.pub, hash, sig));
      assert.ok(!cache.verifySchnorr(random.bytes(31), hash, sig));
      assert.ok(!cache.verifySchnorr(Buffer.alloc(32, 255), hash, sig));
      assert.ok(!cache.verifySchnorr(pub, hash, sig.subarray(1)));
      assert.ok(cache.size <= 6);
    }
  });
}
