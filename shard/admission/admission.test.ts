import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorNumber } from '../../protocol/errors.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { TokenBuckets } from './token-bucket.ts';

const OPEN: AdmissionOptions = {
  create: 'anyone',
  maxEnclavesPerCreator: 0,
  maxBytesPerEnclave: 0,
  maxLeavesPerEnclave: 0,
  commitsPerSecondPerEnclave: 0,
  commitsPerSecondPerAddress: 0,
};
const creator = Buffer.alloc(32, 7);
const admission = (options: Partial<AdmissionOptions>, made = 0) =>
  new Admission({ ...OPEN, ...options }, { enclavesOf: async () => made, now: () => 0 });

test('a bucket gives its burst, then its rate, and forgets nobody early', () => {
  let now = 0;
  const buckets = new TokenBuckets(10, 10, () => now);
  for (let i = 0; i < 10; i++) assert.equal(buckets.take('a'), true);
  assert.equal(buckets.take('a'), false);
  assert.equal(buckets.take('b'), true, 'another name has its own bucket');
  now = 100;
  assert.equal(buckets.take('a'), true);
  assert.equal(buckets.take('a'), false);
});

test('a body of more commits than the bucket holds is refused and takes nothing', () => {
  const buckets = new TokenBuckets(10, 10, () => 0);
  assert.equal(buckets.take('a', 11), false);
  assert.equal(buckets.take('a', 10), true);
});

test('creation is refused to whoever is not on the list, but never to the operator', async () => {
  assert.equal(await admission({ create: 'admin' }).mayCreate(creator, false), errorNumber('forbidden'));
  assert.equal(await admission({ create: 'admin' }).mayCreate(creator, true), 0);
  assert.equal(await admission({ create: new Set([creator.toString('hex')]) }).mayCreate(creator, false), 0);
  assert.equal(await admission({ create: new Set(['00']) }).mayCreate(creator, false), errorNumber('forbidden'));
  assert.equal(await admission({ maxEnclavesPerCreator: 2 }, 2).mayCreate(creator, false), errorNumber('rate_limited'));
  assert.equal(await admission({ maxEnclavesPerCreator: 2 }, 1).mayCreate(creator, false), 0);
});

test('an enclave is full at its limit of bytes or leaves, and never when there is none', () => {
  assert.equal(admission({}).full(1e12, 1e9), false);
  assert.equal(admission({ maxBytesPerEnclave: 100 }).full(99, 0), false);
  assert.equal(admission({ maxBytesPerEnclave: 100 }).full(100, 0), true);
  assert.equal(admission({ maxLeavesPerEnclave: 5 }).full(0, 5), true);
});
