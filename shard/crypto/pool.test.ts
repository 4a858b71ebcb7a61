import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, type TestContext, test } from 'node:test';
import { openSecp256k1 } from './open.ts';
import { openCryptoPool, type PoolOptions, type WorkerPool } from './pool.ts';
import { poolKey } from './pool-key.ts';
import { RECORD } from './pool-layout.ts';
import { seeded } from './seeded.test-util.ts';

const SEED = Number(process.env['ENC_TEST_SEED'] ?? 1);
const backend = openSecp256k1();
const corpus = makeCorpus(200);

describe('crypto pool', { timeout: 60_000 }, () => {
  test('refuses short inputs and secrets out of range at once', async (t) => {
    const pool = opened(t);
    assert.throws(() => pool.verify(new Uint8Array(RECORD - 1), 1, () => {}), /need 136 bytes/);
    assert.throws(() => pool.sign(poolKey(new Uint8Array(32)), new Uint8Array(32), 1, () => {}), /secret key/);
    assert.throws(
      () => pool.sign(poolKey(new Uint8Array(32).fill(1)), new Uint8Array(31), 1, () => {}),
      /need 32 bytes/,
    );
    assert.equal(pool.pending, 0);
  });

  test('a record with an unknown algorithm is a bad signature and never a signing job', async (t) => {
    const pool = opened(t);
    await sign(pool, new Uint8Array(32).fill(5), new Uint8Array(32), 1);
    for (const alg of [2, 3, 4, 255]) {
      const record = corpus.records.slice(0, RECORD);
      record[0] = alg;
      assert.deepEqual([...((await verify(pool, record, 1)) ?? [])], [0]);
    }
  });

  test('answers as the plain back end does, for sizes 1 to 2000 from several callers at once', async (t) => {
    t.diagnostic(`seed ${SEED}, back end ${backend.name}, ${availableParallelism()} cores`);
    const pool = opened(t);
    const random = seeded(SEED);
    const sizes = [1, 1, 2, 31, 32, 33, 63, 64, 65, 200, 511, 2000];
    const callers = sizes.map(async (size, caller) => {
      for (let round = 0; round < 2; round++) {
        const picks = Array.from({ length: size }, () => random.below(corpus.count));
        const inputs = new Uint8Array(size * RECORD);
        for (const [i, pick] of picks.entries())
          inputs.set(corpus.records.subarray(pick * RECORD, (pick + 1) * RECORD), i * RECORD);
        const answer = verify(pool, inputs, size);
        inputs.fill(0); // the buffer is the caller's again at once
        assert.deepEqual(
          [...((await answer) ?? [])],
          picks.map((pick) => corpus.expected[pick]),
        );

        const secret = new Uint8Array(32).fill(caller + 1);
        const hashes = random.bytes(Math.min(size, 150) * 32);
        const count = hashes.length / 32;
        const own = Uint8Array.from(secret);
        const signing = sign(pool, own, hashes, count);
        own.fill(0);
        const signatures = (await signing) ?? new Uint8Array();
        assert.equal(signatures.length, count * 64);
        for (let i = 0; i < count; i++) {
          const expected = backend.signSchnorr(secret, hashes.subarray(i * 32, i * 32 + 32));
          assert.deepEqual(Buffer.from(signatures.subarray(i * 64, i * 64 + 64)), Buffer.from(expected));
        }
      }
    });
    await Promise.all(callers);
    assert.equal(pool.pending, 0);
  });

  test('more keys than a worker keeps ready still sign with the right one', async (t) => {
    const pool = opened(t, { workers: 1 });
    const hash = new Uint8Array(32).fill(9);
    const secretOf = (i: number): Uint8Array =>
      Uint8Array.from({ length: 32 }, (_, at) => (at === 30 ? i >> 8 : at === 31 ? i & 255 : 1));
    const signAll = () => Promise.all(Array.from({ length: 1100 }, (_, i) => sign(pool, secretOf(i), hash, 1)));
    await signAll();
    const again = await signAll();
    for (const i of [0, 1, 500, 1023, 1024, 1099]) {
      assert.deepEqual(Buffer.from(again[i] ?? []), Buffer.from(backend.signSchnorr(secretOf(i), hash)));
    }
  });

  test('a worker that dies is replaced and its jobs run again', async (t) => {
    const deaths: string[] = [];
    const pool = opened(t, { onWorkerDeath: (reason) => deaths.push(reason) });
    const secret = new Uint8Array(32).fill(3);
    const hashes = seeded(SEED).bytes(300 * 32);
    const calls = Array.from({ length: 6 }, () => [
      verify(pool, corpus.records, corpus.count),
      sign(pool, secret, hashes, 300),
    ]);
    for (let kill = 0; kill < 3; kill++) {
      await verify(pool, corpus.records, corpus.count);
      await pool.killWorker(kill % pool.workers);
    }
    for (const [verified, signed] of calls) {
      assert.deepEqual([...((await verified) ?? [])], corpus.expected);
      const last = (await signed)?.subarray(299 * 64);
      assert.deepEqual(Buffer.from(last ?? []), Buffer.from(backend.signSchnorr(secret, hashes.subarray(299 * 32))));
    }
    assert.ok((await verify(pool, corpus.records, 1)) !== null);
    assert.equal(deaths.length, 3);
  });

  test('close answers everything with null, also what comes later', async () => {
    const pool = openCryptoPool();
    const calls = Array.from({ length: 20 }, () => verify(pool, corpus.records, corpus.count));
    calls.push(sign(pool, new Uint8Array(32).fill(1), new Uint8Array(64), 2));
    assert.equal(pool.pending, 20 * corpus.count + 2);
    await pool.close();
    assert.ok((await Promise.all(calls)).every((answer) => answer === null));
    assert.equal(await verify(pool, corpus.records, 1), null);
    assert.equal(pool.pending, 0);
    await pool.close();
  });

  test('the slower back ends answer alike', async (t) => {
    for (const slower of ['wasm', 'noble'] as const) {
      const pool = opened(t, { backend: slower, workers: 1 });
      assert.equal(pool.backend, slower);
      assert.deepEqual([...((await verify(pool, corpus.records, 8)) ?? [])], corpus.expected.slice(0, 8));
      const secret = new Uint8Array(32).fill(6);
      const hash = new Uint8Array(32);
      const signed = (await sign(pool, secret, hash, 1)) ?? [];
      assert.deepEqual(Buffer.from(signed), Buffer.from(backend.signSchnorr(secret, hash)));
    }
  });

  test('an empty batch answers an empty result', async (t) => {
    const pool = opened(t);
    assert.deepEqual(await verify(pool, new Uint8Array(), 0), new Uint8Array());
  });
});

function opened(t: TestContext, options?: PoolOptions): WorkerPool {
  const pool = openCryptoPool(options);
  t.after(() => pool.close());
  return pool;
}

function verify(pool: WorkerPool, inputs: Uint8Array, count: number): Promise<Uint8Array | null> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
  pool.verify(inputs, count, resolve);
  return promise;
}

function sign(pool: WorkerPool, secret: Uint8Array, hashes: Uint8Array, count: number): Promise<Uint8Array | null> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
  pool.sign(poolKey(secret), hashes, count, resolve);
  return promise;
}

/** Good and forged signatures of both algorithms, about half each. */
function makeCorpus(count: number): { records: Uint8Array; count: number; expected: number[] } {
  const random = seeded(SEED);
  const records = new Uint8Array(count * RECORD);
  const expected: number[] = [];
  for (let i = 0; i < count; i++) {
    const [secret, hash, alg, forged] = [random.bytes(32), random.bytes(32), random.below(2), random.below(2)];
    const sig = alg ? backend.signEcdsa(secret, hash) : backend.signSchnorr(secret, hash);
    records[i * RECORD] = alg;
    records.set(backend.publicKey(secret) as Uint8Array, i * RECORD + 8);
    records.set(hash, i * RECORD + 40);
    records.set(forged ? random.flip(sig) : sig, i * RECORD + 72);
    expected.push(forged ? 0 : 1);
  }
  return { records, count, expected };
}
