import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MalformedFrame } from './frame-reader.ts';
import {
  commonVersion,
  decodeHello,
  decodeProof,
  decodeWelcome,
  encodeHello,
  encodeProof,
  encodeWelcome,
} from './handshake.ts';
import { readLinkSecret } from './link-secret.ts';

const secret = Buffer.alloc(32, 7);
const versions = { min: 1, max: 2 };
const hello = encodeHello({ versions, nonce: randomBytes(32) });
const proof = encodeProof(secret, hello, { versions, shard: 3, nonce: randomBytes(32) });
const welcome = {
  version: 2,
  shard: 3,
  maxRequests: 8192,
  maxBytes: 2 ** 26,
  topology: { version: 4, shards: 5, before: 3 },
  process: new Uint8Array(randomBytes(16)),
  about: '"name":"é"',
};

const flips = function* (bytes: Buffer): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i++) {
    const flipped = Buffer.from(bytes);
    flipped[i] = (flipped[i] as number) ^ 1;
    yield flipped;
  }
};
/** What `decode` makes of bytes that nobody sent: nothing. */
const refused = (decode: () => unknown): void => {
  try {
    assert.equal(decode(), null);
  } catch (error) {
    assert.ok(error instanceof MalformedFrame, String(error));
  }
};

describe('the handshake of a link', () => {
  test('each side learns what the other says of itself', () => {
    assert.deepEqual(decodeHello(hello).versions, versions);
    assert.equal(decodeProof(secret, hello, proof)?.shard, 3);
    const bytes = encodeWelcome(secret, hello, proof, welcome);
    assert.deepEqual(decodeWelcome(secret, hello, proof, bytes), welcome);
  });

  test('the secret is nowhere on the wire', () => {
    for (const bytes of [hello, proof, encodeWelcome(secret, hello, proof, welcome)]) {
      assert.equal(bytes.includes(secret.subarray(0, 8)), false);
    }
  });

  test('a proof is good for one greeting, with every bit as it is', () => {
    refused(() => decodeProof(Buffer.alloc(32, 8), hello, proof));
    refused(() => decodeProof(secret, encodeHello({ versions, nonce: randomBytes(32) }), proof));
    for (const bytes of flips(proof)) refused(() => decodeProof(secret, hello, bytes));
    for (const bytes of flips(hello)) refused(() => decodeProof(secret, bytes, proof));
    for (let n = 0; n < proof.length; n++) refused(() => decodeProof(secret, hello, proof.subarray(0, n)));
  });

  test('a welcome too: neither a shard without the secret nor an old recording passes', () => {
    const bytes = encodeWelcome(secret, hello, proof, welcome);
    refused(() => decodeWelcome(Buffer.alloc(32, 8), hello, proof, bytes));
    const other = encodeProof(secret, hello, { versions, shard: 3, nonce: randomBytes(32) });
    refused(() => decodeWelcome(secret, hello, other, bytes));
    for (const flipped of flips(bytes)) refused(() => decodeWelcome(secret, hello, proof, flipped));
    for (let n = 0; n < bytes.length; n++) refused(() => decodeWelcome(secret, hello, proof, bytes.subarray(0, n)));
  });

  test('a router can not be its own shard: the two proofs differ in purpose', () => {
    refused(() => decodeWelcome(secret, hello, proof, proof));
    refused(() => decodeProof(secret, hello, encodeWelcome(secret, hello, proof, welcome)));
  });

  test('neighbouring versions find the newest that both speak', () => {
    assert.equal(commonVersion({ min: 1, max: 1 }, { min: 1, max: 2 }), 1);
    assert.equal(commonVersion({ min: 1, max: 2 }, { min: 2, max: 3 }), 2);
    assert.equal(commonVersion({ min: 3, max: 4 }, { min: 1, max: 2 }), 0);
  });
});

test('a link secret is a file of at least 32 bytes, less the line end', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-secret-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'secret');
  writeFileSync(file, `${'s'.repeat(32)}\r\n`);
  assert.equal(Buffer.from(readLinkSecret(file)).toString(), 's'.repeat(32));
  for (const bad of ['', 's'.repeat(31), `${'s'.repeat(31)}\n`, 's'.repeat(5000)]) {
    writeFileSync(file, bad);
    assert.throws(
      () => readLinkSecret(file),
      (error: Error) => /32 to 4096 bytes/.test(error.message) && !error.message.includes('sss'),
    );
  }
  assert.throws(() => readLinkSecret(join(folder, 'none')), /can not be read \(ENOENT\)/);
});
