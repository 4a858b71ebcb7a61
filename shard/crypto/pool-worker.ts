import { workerData } from 'node:worker_threads';
import type { SigningKey } from './backend.ts';
import { KeyCache } from './key-cache.ts';
import { openSecp256k1 } from './open.ts';
import {
  AT_COUNT,
  AT_HASH,
  AT_KEY_SLOT,
  AT_PUB,
  AT_RESULTS,
  AT_SIG,
  DONE,
  KEY_SLOTS,
  OP_SIGN_WITH_NEW_KEY,
  OP_VERIFY,
  PUBLISHED,
  RECORD,
  STOP,
  slotOffset,
  type WorkerData,
} from './pool-layout.ts';

/** A worker looks at its ring at least this often, whatever happens to a wake-up. */
const WAIT_MS = 1000;

const { memory, backend: name } = workerData as WorkerData;
const control = new Int32Array(memory.control);
const signal = new Int32Array(memory.signal);
const bytes = new Uint8Array(memory.slots);
const view = new DataView(memory.slots);
const backend = openSecp256k1(name);
const authors = new KeyCache(backend);
const keys: (SigningKey | null)[] = new Array(KEY_SLOTS).fill(null);

for (let done = Atomics.load(control, DONE); Atomics.load(control, STOP) === 0; ) {
  if (Atomics.load(control, PUBLISHED) === done) {
    Atomics.wait(control, PUBLISHED, done, WAIT_MS);
    continue;
  }
  work(slotOffset(done));
  done = (done + 1) | 0;
  Atomics.store(control, DONE, done);
  Atomics.add(signal, 0, 1);
  Atomics.notify(signal, 0);
}
for (const key of keys) key?.destroy();

function work(slot: number): void {
  const count = view.getUint32(slot + AT_COUNT, true);
  for (let i = 0; i < count; i++) {
    const record = slot + i * RECORD;
    const op = bytes[slot + AT_RESULTS + i];
    const good = op === OP_VERIFY ? verify(record) : sign(record, op === OP_SIGN_WITH_NEW_KEY);
    bytes[slot + AT_RESULTS + i] = good ? 1 : 0;
  }
}

function verify(record: number): boolean {
  const alg = bytes[record];
  const pub = bytes.subarray(record + AT_PUB, record + AT_HASH);
  const hash = bytes.subarray(record + AT_HASH, record + AT_SIG);
  const sig = bytes.subarray(record + AT_SIG, record + RECORD);
  if (alg === 0) return authors.verifySchnorr(pub, hash, sig);
  return alg === 1 && backend.verifyEcdsa(pub, hash, sig);
}

function sign(record: number, newKey: boolean): boolean {
  const slot = view.getUint32(record + AT_KEY_SLOT, true);
  if (newKey) {
    const secret = bytes.subarray(record + AT_PUB, record + AT_HASH);
    keys[slot]?.destroy();
    keys[slot] = backend.signingKey(secret);
    secret.fill(0);
  }
  const key = keys[slot];
  if (!key) return false;
  key.signInto(bytes.subarray(record + AT_HASH, record + AT_SIG), bytes.subarray(record + AT_SIG, record + RECORD));
  return true;
}
