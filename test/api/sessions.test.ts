import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { be32, concat, utf8 } from '../../protocol/bytes.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { CURVE_ORDER, sha256 } from '../../protocol/hash.ts';
import { member, owner, reader, refused, stranger, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { secp, session, toHex, unhex } from './people.ts';

let node: TestNode;
let enclave: TestEnclave;

before(async () => {
  node = await TestNode.start();
  enclave = await TestEnclave.found(node);
});
after(() => node[Symbol.asyncDispose]());

const seconds = (): number => Math.floor(node.now() / 1000);

/** Every call that needs a session, with this token of `owner`. */
async function everyCall(
  token: unknown,
  check: (answer: Awaited<ReturnType<TestNode['post']>>) => void,
): Promise<void> {
  const envelope = { enclave: enclave.id, from: owner.id, session: token };
  check(await node.post('/', { type: 'Query', ...envelope, filter: {} }));
  check(await node.post('/', { type: 'Pull', ...envelope }));
  check(await node.post('/inclusion', { ...envelope, seq: 0 }));
  check(await node.post('/bundle', { ...envelope, seq: 0 }));
  check(await node.post('/state', { ...envelope, namespace: 'rbac', key: owner.id }));
  check(await node.post('/state-batch', { ...envelope, namespace: 'rbac', keys: [owner.id] }));
}

describe('a plain session token', () => {
  it('opens every read of its holder', async () => {
    await enclave.closeBundle();
    await everyCall(enclave.session(owner), (answer) => assert.equal(answer.status, 200, answer.body));
  });

  const forged: Record<string, () => unknown> = {
    'signed by somebody else': () => session(member, enclave.sequencer, seconds() + 600),
    'for another node': () => session(owner, 'ab'.repeat(32), seconds() + 600),
    'with another expiry than signed': () => `${enclave.session(owner).slice(0, 128)}${toHex(be32(seconds() + 700))}`,
    'with one bit changed': () => {
      const token = enclave.session(owner);
      return (Number.parseInt(token[0]!, 16) ^ 1).toString(16) + token.slice(1);
    },
    'of zeros': () => '00'.repeat(68),
    'too far ahead': () => session(owner, enclave.sequencer, seconds() + 7400),
    'in upper case': () => enclave.session(owner).toUpperCase(),
    'too short': () => enclave.session(owner).slice(2),
    'too long': () => `${enclave.session(owner)}00`,
    'of no digits': () => 'zz'.repeat(68),
    empty: () => '',
    'that is a number': () => 1,
    'that is null': () => null,
    missing: () => undefined,
    'that signs the bare expiry': () =>
      toHex(concat(secp.signSchnorr(owner.secret, sha256(be32(seconds() + 600))), be32(seconds() + 600))),
    'made from public data alone': () => publicToken(seconds() + 600),
    'of the encrypted form, without a ciphertext': () => encryptedToken(seconds() + 600),
  };
  for (const [what, make] of Object.entries(forged)) {
    it(`${what} is invalid_session`, () => everyCall(make(), (answer) => refused(answer, 'invalid_session')));
  }

  it('ends', async () => {
    const token = session(owner, enclave.sequencer, seconds() - 70);
    await everyCall(token, (answer) => refused(answer, 'session_expired'));
    const ending = session(owner, enclave.sequencer, seconds() + 10);
    node.skew += 80_000;
    await everyCall(ending, (answer) => refused(answer, 'session_expired'));
    node.skew -= 80_000;
    await everyCall(ending, (answer) => assert.equal(answer.status, 200, answer.body));
  });

  it('forged and expired is invalid_session: the signature is looked at first', async () => {
    const token = session(member, enclave.sequencer, seconds() - 1000);
    await everyCall(token, (answer) => refused(answer, 'invalid_session'));
  });

  it('is good within the leeway of clocks on both sides', async () => {
    for (const expires of [seconds() - 55, seconds() + 7255]) {
      await everyCall(session(owner, enclave.sequencer, expires), (answer) =>
        assert.equal(answer.status, 200, answer.body),
      );
    }
  });

  it('is no right to read: one who may read nothing is forbidden', async () => {
    refused(await enclave.query(stranger), 'forbidden');
    refused(await enclave.pull(stranger), 'forbidden');
    refused(await enclave.call('/inclusion', stranger, { seq: 0 }), 'forbidden');
    refused(await enclave.call('/bundle', stranger, { seq: 0 }), 'forbidden');
  });

  it('of one enclave opens no other', async () => {
    const other = await TestEnclave.found(node);
    const token = enclave.session(owner);
    refused(
      await node.post('/', { type: 'Query', enclave: other.id, from: owner.id, session: token, filter: {} }),
      'invalid_session',
    );
  });
});

describe('the envelope of a request', () => {
  const broken: [string, object, ErrorCode][] = [
    ['an unknown field', { more: 1 }, 'invalid_commit'],
    ['a ciphertext, which this version does not take', { encrypted: 'AAAA' }, 'invalid_commit'],
    ['no enclave', { enclave: undefined }, 'invalid_commit'],
    ['an enclave in upper case', { enclave: 'AB'.repeat(32) }, 'invalid_commit'],
    ['no from', { from: undefined }, 'invalid_commit'],
    ['a from that is too short', { from: 'ab' }, 'invalid_commit'],
    ['another enclave', { enclave: 'ab'.repeat(32) }, 'enclave_not_found'],
  ];
  for (const [what, change, code] of broken) {
    it(`with ${what} is ${code}`, async () => {
      refused(await node.post('/', { type: 'Query', ...enclave.envelope(reader), filter: {}, ...change }), code);
    });
  }

  it('with neither exp nor a known type is invalid_commit', async () => {
    for (const body of ['{}', '{"type":"Query2"}', '{"type":1}', 'null', '1', '"x"', 'true', '{"type":"query"}']) {
      refused(await node.post('/', body), 'invalid_commit');
    }
  });
});

/** (r, s) with r = x(k·G + …) can be made so that the claimed session key checks: anyone can, from public data. */
function publicToken(expires: number): string {
  const { Point } = secp256k1;
  const message = sha256(utf8('enc:session:plain:'), unhex(enclave.sequencer), be32(expires));
  const k = 12345n;
  const R = Point.BASE.multiply(k);
  const r = R.toBytes(true).slice(1);
  const e = challenge(r, owner.id, message);
  const pub = Point.fromHex(`02${owner.id}`).multiply(e).add(R);
  return toHex(concat(r, pub.toBytes(true).slice(1), be32(expires)));
}

/** What PROTOCOL §8 derives for the encrypted form: r || session_pub || expires, of a real signature. */
function encryptedToken(expires: number): string {
  const message = sha256(utf8('enc:session:'), unhex(enclave.sequencer), be32(expires));
  const sig = secp.signSchnorr(owner.secret, message);
  const sessionPub = secp.publicKey(sig.subarray(32)) as Uint8Array;
  return toHex(concat(sig.subarray(0, 32), sessionPub, be32(expires)));
}

function challenge(r: Uint8Array, from: string, message: Uint8Array): bigint {
  const tag = sha256(utf8('BIP0340/challenge'));
  return BigInt(`0x${toHex(sha256(tag, tag, r, unhex(from), message))}`) % CURVE_ORDER;
}
