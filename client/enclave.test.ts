import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { type Person, person } from '../kernel/reference/memory-node.test-util.ts';
import { signCommit } from '../protocol/commit.ts';
import { eventJson, signEvent } from '../protocol/event.ts';
import { toJson } from '../protocol/json.ts';
import { receiptJson, receiptOfEvent } from '../protocol/receipt.ts';
import { openSecp256k1 } from '../shard/crypto/open.ts';
import { World } from '../test/forgery/world.ts';
import { EncClient } from './client.ts';
import { enclaveIdOf } from './commit.ts';
import type { Enclave } from './enclave.ts';
import { NodeLied } from './errors.ts';
import { generateKey, keyFromHex, keyFromSecret } from './keys.ts';
import { FileHeads } from './node-heads.ts';
import { checkSnapshot } from './snapshot.ts';
import type { EncEvent } from './types.ts';

const secp = openSecp256k1();
const world = await new World(secp).fill({ nonce: 'enclave' });

test('a key keeps its secret to itself', () => {
  const key = keyFromHex('33'.repeat(32));
  assert.equal(key.id, '3c72addb4fdf09af94f0c94d7fe92a386a7e70cf8a1d85916386bb2535c7b1b1');
  assert.ok(!/33333333/.test(JSON.stringify(key) + inspect(key, { depth: 9, showHidden: true })));
  for (const bad of ['', '00'.repeat(32), 'ff'.repeat(32), '33'.repeat(31), 'xx'.repeat(32)])
    assert.throws(() => keyFromHex(bad), TypeError);
});

test('content that no kernel takes is refused before it is signed', async () => {
  const room = world.room();
  for (const content of [1.5, Number.NaN, -0, '\ud800', { a: [2 ** 53] }, () => 1])
    await assert.rejects(room.build('message', content), TypeError);
  await assert.rejects(room.build('no spaces', {}), TypeError);
});

test('what a reader pulls is everything, in order, page after page', async () => {
  const events: EncEvent[] = [];
  for await (const event of world.room().pull({ pageSize: 3, complete: true })) events.push(event);
  assert.deepEqual(
    events.map((event) => event.seq),
    [...Array(10).keys()],
  );
});

test('a follower is given new events until it stops', async () => {
  const mine = await new World(secp).fill({ nonce: 'follow' });
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const event of mine.room().pull({ afterSeq: 8, follow: true, signal: stop.signal })) {
    seen.push(event.seq);
    if (seen.length < 3) await mine.room().commit('message', { n: seen.length });
    else break;
  }
  assert.deepEqual(seen, [9, 10, 11]);
});

test('members are replayed and proved; what changed since the last bundle is pending', async () => {
  const mine = await new World(secp).fill({ nonce: 'members' });
  const carol = generateKey(secp);
  await mine.room().commit('Move', { target: carol.id, from: 'OUTSIDER', to: 'MEMBER' });
  const { members, asOf } = await mine.room().members();
  assert.equal(asOf, 8);
  assert.deepEqual(
    members.map(({ state, traits, proof }) => [state, ...traits, proof].join(' ')),
    ['MEMBER owner proved', 'MEMBER moderator proved', 'MEMBER pending'],
  );
});

test('a member made by events that the reader can not see shows up as a difference', async () => {
  const hide = (_request: unknown, answer: unknown): unknown => {
    const { events } = answer as { events?: EncEvent[] };
    return events ? { ...(answer as object), events: events.filter((event) => event.type !== 'Grant') } : answer;
  };
  const { members } = await world.room(hide).members();
  assert.deepEqual(
    members.map((member) => member.proof),
    ['proved', 'differs'],
  );
  assert.deepEqual(members[1]?.proved, { state: 'MEMBER', traits: ['moderator'] });
});

test('the whole enclave is verified from its first event, and how fast is reported', async () => {
  const seen: number[] = [];
  const report = await world.room().verify({ progress: ({ events }) => seen.push(events), pageSize: 4 });
  assert.deepEqual([report.events, report.bundles, report.open, report.statesSkipped], [10, 2, 1, 0]);
  assert.deepEqual(seen, [10]);
});

test('an Update whose content went with its target is verified as far as it can be', async () => {
  const mine = await new World(secp).fill({ nonce: 'erased' });
  const room = mine.room();
  const close = () => mine.client().admin().closeBundle(room);
  const targets = [await room.commit('message', { n: 1 }), await room.commit('message', { n: 2 })];
  for (const { id } of targets) {
    await room.commit('Update', { target: id, content: { n: 3 } });
    await close();
  }
  for (const { id } of targets) await room.commit('Delete', { target: id });
  await close();
  const report = await room.verify();
  // Either message may have been the first Update's: the state is open in two bundles, and settled in the last.
  assert.equal(report.statesSkipped, 2);
  assert.equal(report.bundles, 5);
});

test('a tree head remembered in a file is what the next run goes on from', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'enc-heads-'));
  try {
    await world.room(undefined, new FileHeads(folder)).sth();
    const old = (request: { path: string }, answer: unknown): unknown =>
      request.path.endsWith('/sth') ? world.older : answer;
    await assert.rejects(
      world.room(old, new FileHeads(folder)).sth(),
      (error: unknown) => error instanceof NodeLied && /2 were shown before/.test(error.what),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** An enclave that moved from one sequencer to another, as a node with the new key would show it. */
function moved(proved: boolean): Enclave {
  const alice = person('alice');
  const [first, second] = [person('first sequencer'), person('second sequencer')];
  const content = { enc_v: 2, sequencer: first.id, RBAC: {} };
  const enclave = enclaveIdOf(alice.id, content);
  const event = (seq: number, type: string, value: unknown, by: Person): string => {
    const draft = { enclave: enclave as never, type, content: toJson(value), exp: 1_000_000 };
    return eventJson(signEvent(signCommit(draft, alice.secret), { seq, timestamp: 1000 + seq }, by.secret));
  };
  const manifest = event(0, 'Manifest', content, first);
  const migrate = event(1, 'Migrate', { new_sequencer: second.id, prev_seq: 0, ct_root: '00'.repeat(32) }, first);
  const later = event(2, 'note', {}, second);
  const fetch = async (_url: string, init: RequestInit): Promise<Response> => {
    const { type, filter } = JSON.parse(String(init.body)) as {
      type: string;
      filter?: { seq?: unknown; type?: string };
    };
    const events = filter?.seq === 0 ? [manifest] : filter?.type === 'Migrate' ? (proved ? [migrate] : []) : [later];
    if (type === 'Query') return new Response(`{"type":"Response","events":[${events.join(',')}]}`);
    const id = (JSON.parse(manifest) as EncEvent).id;
    const info = {
      type: 'Info',
      enclave,
      sequencer: second.id,
      head: 2,
      timestamp: 1002,
      status: 'active',
      bundle: { size: 256, timeout: 5000 },
      lanes: 0,
      manifest: id,
    };
    return new Response(JSON.stringify(info));
  };
  return new EncClient('http://node.test', { fetch, secp, retryMs: 0 }).enclave(enclave, {
    key: keyFromSecret(alice.secret, secp),
  });
}

test('another sequencer is believed when a Migrate of the one before names it', async () => {
  const enclave = moved(true);
  const [event] = await enclave.query({ type: 'note' });
  assert.equal(event?.seq, 2);
  assert.deepEqual(
    enclave.trust.terms.map((term) => term.since),
    [0, 2],
  );
});

test('another sequencer without a Migrate is a lie', async () => {
  await assert.rejects(
    moved(false).query({ type: 'note' }),
    (error: unknown) => error instanceof NodeLied && /no Migrate event/.test(error.what),
  );
});

test('two receipts for one place are a proof of equivocation', async () => {
  const alice = person('alice');
  const [one, two] = [world.commits[3], world.commits[6]];
  assert.ok(one && two);
  const room = world.room((request, answer) => {
    if (request.body['hash'] !== two.hash) return answer;
    const draft = { enclave: two.enclave as never, type: two.type, content: toJson(two.content), exp: two.exp };
    const fork = signEvent(
      signCommit(draft, alice.secret),
      { seq: 3, timestamp: world.receipts[3]?.timestamp ?? 0 },
      world.node.sequencer.secret,
    );
    return JSON.parse(receiptJson(receiptOfEvent(fork)));
  });
  await room.submit(one);
  await assert.rejects(
    room.submit(two),
    (error: unknown) => error instanceof NodeLied && /equivocation/.test(error.what),
  );
});

test('whoever reads everything can make a snapshot that checks', async () => {
  const room = world.room();
  const checked = checkSnapshot(room.copy(), { enclave: world.enclave, secp });
  let step = await checked.next();
  while (!step.done) step = await checked.next();
  assert.deepEqual([step.value.events, step.value.bundles, step.value.named], [10, 2, true]);
});

test('an honest node is not accused, however its answers to parallel calls overtake each other', async () => {
  const seed = 20_261_123;
  console.log(`seed ${seed}`);
  let state = seed;
  const random = (n: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % n;
  };
  const mine = await new World(secp).fill({ nonce: 'parallel' });
  const delayed = async (url: string, init: RequestInit): Promise<Response> => {
    const pause = async (): Promise<void> => {
      for (let turns = random(8); turns > 0; turns--) await new Promise(setImmediate);
    };
    await pause();
    const response = await mine.node.fetch(url, init);
    await pause();
    return response;
  };
  const client = new EncClient('http://node.test', { fetch: delayed, secp, clock: mine.node.clock, retryMs: 0 });
  const room = client.enclave(mine.enclave, { key: mine.alice });
  const calls: (() => Promise<unknown>)[] = [
    () => room.commit('message', { n: random(1e6) }),
    () => room.commitAll([1, 2, 3].map((n) => ({ type: 'message', content: { n: n + random(1e6) } }))),
    () => client.admin().closeBundle(room),
    () => room.info(),
    () => room.sth(),
    () => room.query({ limit: 20, reverse: true }, { proveStatus: true }),
    () => room.pull({ pageSize: 50, complete: true }).next(),
    () => room.state({ member: mine.bob.id }),
    () => room.prove({ seq: random(9) }),
    () => room.members(),
  ];
  const busy = async (): Promise<void> => {
    for (let i = 0; i < 25; i++) await calls[random(calls.length)]?.();
  };
  await Promise.all(Array.from({ length: 6 }, busy));
  const report = await room.verify();
  assert.ok(report.events > 10);
});
