import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, utf8 } from './bytes.ts';
import { commitJson, signCommit } from './commit.ts';
import { errorOf } from './errors.ts';
import { eventJson, signEvent } from './event.ts';
import { sha256, ZERO64 } from './hash.ts';
import { type EnclaveId, type Hash32, hex32, type PublicKey, unhex } from './hex.ts';
import { inspectBody } from './inspect.ts';
import { canonical, toJson } from './json.ts';
import { IC_ERASED, IC_HASH_OK, type InspectMode } from './layout.ts';
import { receiptJson, receiptOfEvent } from './receipt.ts';
import {
  buildClosingRecord,
  buildEventRecord,
  type EventRecord,
  eventOf,
  readClosingRecord,
  readCommitRecord,
  readEventRecord,
  receiptOf,
  splitRecords,
} from './records.ts';
import { requestCode } from './requests.ts';
import { noble } from './secp.ts';

const SECRET = sha256(utf8('author'));
const FROM = hex32<PublicKey>(noble.publicKey(SECRET) as Uint8Array);
const ENCLAVE = hex32<EnclaveId>(sha256(utf8('enclave')));
const OTHER = sha256(utf8('other'));
const SESSION = '00'.repeat(68);
const COMMIT = signCommit({ enclave: ENCLAVE, type: 'Chat', content: toJson({ z: 1, a: 'é' }), exp: 99 }, SECRET);
const _TEXT = commitJson(COMMIT);

/** The code of the body, or of the one record in it. */
function _codeOf(body: string | Uint8Array, mode: InspectMode = 'post', enclave?: Uint8Array): string {
  const result = inspectBody(typeof body === 'string' ? utf8(body) : body, mode, enclave);
  const code = result.kind === 'error' ? result.code : requestCode(result.bytes);
  if (result.kind === 'error') assert.deepEqual([result.bytes.length, result.count], [0, 0]);
  else if (code !== 0) assert.equal(result.bytes.length, 16);
  return code === 0 ? `ok ${result.kind}` : `${errorOf(code).code}${result.kind === 'error' ? '' : ` ${result.kind}`}`;
}

const json = (value: object): string => canonical(toJson(value));
const _query = (filter: unknown): string =>
  json({ type: 'Query', enclave: ENCLAVE, from: FROM, session: SESSION, filter });

test('an event goes through its record unchanged, and so does its receipt', () => {
  const commit = signCommit(
    { enclave: ENCLAVE, type: 'Chat', content: toJson({ z: 1, a: 'é' }), exp: 99, tags: [['t', 'x']], alg: 'schnorr' },
    SECRET,
  );
  for (const place of [
    { seq: 3, timestamp: 50 },
    { seq: 3, timestamp: 50, lane: 2, ctl: 9 },
  ]) {
    const event = signEvent(commit, place, OTHER);
    const ic = readCommitRecord(inspectBody(utf8(commitJson(commit)), 'post').bytes);
    const fields: EventRecord = {
      ...{
        flags: ic.flags & ~IC_HASH_OK,
        typeNumber: ic.typeNumber,
        seq: 3,
        timestamp: 50,
        exp: ic.exp,
        ctl: event.ctl ?? 0,
        lane: event.lane ?? 0,
        contentLength: ic.content.length,
      },
      ...{
        id: unhex(event.id),
        hash: ic.hash,
        from: ic.from,
        sig: ic.sig,
        seqSig: unhex(event.seq_sig),
        contentHash: ic.contentHash,
        target: ic.target,
        sequencer: unhex(event.sequencer),
      },
      ...{ type: ic.type, tags: ic.tags },
    };
    const record = buildEventRecord(fields);
    assert.deepEqual(readEventRecord(record), fields);
    assert.equal(eventOf(unhex(ENCLAVE), record, ic.content), eventJson(event));
    assert.equal(receiptOf(unhex(ENCLAVE), record), receiptJson(receiptOfEvent(event)));
    const gone = buildEventRecord({ ...fields, flags: fields.flags | IC_ERASED, contentLength: 0 });
    const erased = { ...event, content: null, content_hash: hex32<Hash32>(ic.contentHash), status: 'deleted' } as const;
    assert.equal(eventOf(unhex(ENCLAVE), gone, new Uint8Array(0), 'deleted'), eventJson(erased));
  }
});

test('records of another kind, a newer format or a wrong length are refused', () => {
  const closing = {
    genesis: false,
    index: 5,
    firstSeq: 9,
    size: 4,
    lane: 0,
    t: 77,
    eventsRoot: OTHER,
    stateHash: OTHER,
    ctLeaf: OTHER,
    ctRoot: OTHER,
    sthSig: ZERO64,
    sequencer: OTHER,
    nodes: [OTHER, unhex(ENCLAVE)],
  };
  const record = buildClosingRecord(closing);
  assert.deepEqual(readClosingRecord(record), closing);
  assert.deepEqual(readClosingRecord(buildClosingRecord({ ...closing, genesis: true, nodes: [] })).genesis, true);
  assert.throws(() => readEventRecord(record), RangeError);
  assert.throws(() => readClosingRecord(record.with(7, 2)), RangeError);
  assert.throws(() => [...splitRecords(record.subarray(0, record.length - 8))], RangeError);
  assert.throws(() => [...splitRecords(new Uint8Array(8))], RangeError);
  assert.throws(() => [...splitRecords(concat(record, new Uint8Array(4)))], RangeError);
});
