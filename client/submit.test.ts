import assert from 'node:assert/strict';
import { test } from 'node:test';
import { person } from '../kernel/reference/memory-node.test-util.ts';
import { HonestNode } from '../test/forgery/honest-node.ts';
import { EncClient } from './client.ts';
import type { Enclave } from './enclave.ts';
import { NeverAccepted, OutcomeUnknown, Refused, Unreachable } from './errors.ts';
import { keyFromSecret } from './keys.ts';
import { nobleSecp } from './secp.ts';

const MANIFEST = {
  enc_v: 2,
  RBAC: {
    states: ['OWNER'],
    readers: [{ type: 'OWNER', reads: '*' }],
    customs: [{ event: 'note', operator: 'OWNER', ops: ['C', 'U', 'D'] }],
    init: [] as unknown[],
  },
};

type Weather = (call: { nth: number; method: string; body: string }, go: () => Promise<Response>) => Promise<Response>;

/** An enclave on an honest node behind bad weather; `calls` are the requests of the test itself. */
async function room(
  weather: Weather,
): Promise<{ node: HonestNode; room: Enclave; calls: { method: string; body: string }[] }> {
  const node = new HonestNode(nobleSecp);
  const calls: { method: string; body: string }[] = [];
  let bad = false;
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (!bad) return node.fetch(url, init);
    const call = { method: init.method ?? 'GET', body: String(init.body ?? '') };
    calls.push(call);
    return weather({ ...call, nth: calls.length }, () => node.fetch(url, init));
  };
  const key = keyFromSecret(person('alice').secret);
  const client = new EncClient('http://node.test', { fetch, clock: node.clock });
  const manifest = {
    ...MANIFEST,
    RBAC: { ...MANIFEST.RBAC, init: [{ identity: key.id, state: 'OWNER', traits: [] }] },
  };
  const { enclave } = await client.create(key, manifest);
  bad = true;
  return { node, room: enclave, calls };
}

const error = (code: string, status: number, headers: Record<string, string> = {}, more: object = {}): Response =>
  new Response(JSON.stringify({ type: 'Error', error: code, message: 'A sentence.', ...more }), { status, headers });
const lost = (): never => {
  throw new TypeError('fetch failed', { cause: new Error('ECONNRESET') });
};

test('an answer that is lost is asked for with the same bytes, and the commit has one effect', async () => {
  const {
    node,
    room: enclave,
    calls,
  } = await room(async ({ nth }, go) => {
    const response = await go();
    return nth <= 2 ? lost() : response;
  });
  const receipt = await enclave.commit('note', { text: 'once' });
  assert.equal(calls.length, 3);
  assert.equal(new Set(calls.map((call) => call.body)).size, 1);
  assert.equal(receipt.seq, 1);
  assert.equal(node.enclaves.get(enclave.id)?.log.events.length, 2);
});

test('a busy node is given the time that it asks for', async () => {
  const {
    node,
    room: enclave,
    calls,
  } = await room(async ({ nth }, go) => (nth === 1 ? error('overloaded', 503, { 'retry-after': '7' }) : go()));
  const before = node.now;
  await enclave.commit('note', {});
  assert.equal(calls.length, 2);
  assert.ok(node.now - before >= 7_000);
});

test('a proxy without a node behind it is no refusal', async () => {
  const { room: enclave, calls } = await room(async ({ nth }, go) =>
    nth === 1 ? new Response('<html>', { status: 502 }) : go(),
  );
  await enclave.commit('note', {});
  assert.equal(calls.length, 2);
});

test('a refusal is final: nothing is sent twice', async () => {
  const { room: enclave, calls } = await room(async (_call, go) => go());
  await assert.rejects(
    enclave.commit('unknown', {}),
    (refusal: unknown) => refusal instanceof Refused && refusal.code === 'forbidden' && refusal.status === 403,
  );
  assert.equal(calls.length, 1);
});

test('an enclave that waits for its operator is not asked again and again', async () => {
  const { room: enclave, calls } = await room(async () => error('enclave_regressed', 503));
  await assert.rejects(
    enclave.commit('note', {}),
    (refusal: unknown) => refusal instanceof Refused && refusal.code === 'enclave_regressed',
  );
  assert.equal(calls.length, 1);
});

test('after exp the receipt tells that a commit was accepted whose answers were all lost', async () => {
  const { room: enclave } = await room(async ({ method }, go) => {
    const response = await go();
    return method === 'POST' ? lost() : response;
  });
  const receipt = await enclave.commit('note', { text: 'in the dark' });
  assert.equal(receipt.seq, 1);
});

test('after exp event_not_found with a later head means: never accepted', async () => {
  const { node, room: enclave } = await room(async ({ method }) =>
    method === 'POST' ? lost() : error('event_not_found', 404, {}, { timestamp: node.now }),
  );
  await assert.rejects(enclave.commit('note', {}), NeverAccepted);
});

test('while the head is older than exp the outcome stays unknown', async () => {
  const { node, room: enclave } = await room(async ({ method }) =>
    method === 'POST' ? lost() : error('event_not_found', 404, {}, { timestamp: 5 }),
  );
  const started = node.now;
  await assert.rejects(enclave.commit('note', {}), OutcomeUnknown);
  assert.ok(node.now >= started + 120_000, 'it gave up before exp');
});

test('"expired" after an attempt without an answer is no proof: the receipt is asked for', async () => {
  const { room: enclave, calls } = await room(async ({ nth, method }, go) => {
    if (method === 'GET') return go();
    if (nth > 1) return error('expired', 400);
    await go();
    return lost();
  });
  assert.equal((await enclave.commit('note', {})).seq, 1);
  assert.deepEqual(
    calls.map((call) => call.method),
    ['POST', 'POST', 'GET'],
  );
});

test('of an array only what could not be taken is sent again, and the answers keep their order', async () => {
  const { room: enclave, calls } = await room(async ({ nth, body }, go) => {
    if (nth > 1) return go();
    const [first] = JSON.parse(await (await go()).text()) as unknown[];
    assert.equal(JSON.parse(body).length, 3);
    return new Response(
      JSON.stringify([
        first,
        { type: 'Error', error: 'overloaded', message: 'Busy.' },
        { type: 'Error', error: 'forbidden', message: 'No.' },
      ]),
    );
  });
  const drafts = ['a', 'b', 'c'].map((text) => ({ type: 'note', content: { text } }));
  const [a, b, c] = await enclave.commitAll(drafts);
  assert.ok(a && 'seq' in a && b && 'seq' in b);
  assert.ok(c instanceof Refused && c.code === 'forbidden');
  assert.equal(JSON.parse(calls[1]?.body ?? '').length, 1);
});

test('an empty array asks nothing', async () => {
  const { room: enclave, calls } = await room(async (_call, go) => go());
  assert.deepEqual(await enclave.commitAll([]), []);
  assert.equal(calls.length, 0);
});

test('reads are repeated too, but not for ever', async () => {
  const { node, room: enclave } = await room(async () => lost());
  const before = node.now;
  await assert.rejects(enclave.query(), Unreachable);
  assert.ok(node.now - before <= 15_000);
});

test('whoever stops waiting is let go', async () => {
  const stop = new AbortController();
  const { room: enclave } = await room(async () => {
    stop.abort(new Error('enough'));
    return lost();
  });
  await assert.rejects(enclave.commit('note', {}, { signal: stop.signal }), /enough/);
});
