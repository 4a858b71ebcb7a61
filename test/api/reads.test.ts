import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventJson, parseEvent, verifyEvent } from '../../protocol/event.ts';
import { parseJson } from '../../protocol/json.ts';
import { answered, manifest, member, owner, reader, refused, stranger, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { person, secp } from './people.ts';

let node: TestNode;
let enclave: TestEnclave;
const times: number[] = [];

before(async () => {
  node = await TestNode.start();
  enclave = await TestEnclave.found(node, manifest({ bundle: { size: 100, timeout: 600_000 } }));
  const say = async (who: typeof owner, type: string, content: unknown, tags?: string[][]): Promise<void> => {
    node.skew += 1000;
    times.push((await enclave.commit(who, type, content, tags ? { tags } : {})).timestamp);
  };
  times.push((await enclave.info())['timestamp'] as number);
  await say(owner, 'note', { n: 1 }, [
    ['topic', 'a'],
    ['e', 'x', 'y'],
  ]);
  await say(member, 'chat', { n: 2 }, [['topic', 'b']]);
  await say(owner, 'note', { n: 3 });
  await say(member, 'feed', { n: 4 }, [['topic']]);
  await say(owner, 'Shared', { key: 'topic', value: 'v' });
  await say(owner, 'note', { n: 6 }, [['é', 'ü']]);
});
after(() => node[Symbol.asyncDispose]());

const seqs = async (filter: unknown, who = owner): Promise<unknown[]> =>
  (await enclave.events(who, filter)).map(({ seq }) => seq);

describe('Query', () => {
  it('answers events in canonical bytes that verify by themselves', async () => {
    const answer = await enclave.query(owner, {});
    const parsed = parseJson(answer.bytes)?.value as ReadonlyMap<string, unknown>;
    const events = (parsed.get('events') as never[]).map((value) => parseEvent(value));
    for (const event of events) assert.equal(event && verifyEvent(event, secp), null);
    answered(answer, `{"type":"Response","events":[${events.map((event) => eventJson(event!)).join(',')}]}`);
    assert.equal(events.length, 7);
  });

  it('by path is the same', async () => {
    const { enclave: _left, ...rest } = enclave.envelope(owner);
    const body = (await enclave.query(owner, {})).body;
    answered(await node.post(`/enclave/${enclave.id}`, { type: 'Query', ...rest, filter: {} }), body);
    answered(
      await node.post(`/enclave/${enclave.id}`, { type: 'Query', ...rest, enclave: enclave.id, filter: {} }),
      body,
    );
  });

  const cases: [string, () => unknown, number[]][] = [
    ['nothing', () => ({}), [0, 1, 2, 3, 4, 5, 6]],
    ['reverse', () => ({ reverse: true }), [6, 5, 4, 3, 2, 1, 0]],
    ['limit', () => ({ limit: 2 }), [0, 1]],
    ['limit from the end', () => ({ limit: 2, reverse: true }), [6, 5]],
    ['a seq', () => ({ seq: 3 }), [3]],
    ['a list of seqs', () => ({ seq: [5, 1, 5, 99] }), [1, 5]],
    ['a range from below zero', () => ({ seq: { start_at: -5, end_at: 1 } }), [0, 1]],
    ['a range of seqs', () => ({ seq: { start_at: 2, end_at: 4 } }), [2, 3, 4]],
    ['an open range of seqs', () => ({ seq: { start_after: 2, end_before: 4 } }), [3]],
    ['a range without an end', () => ({ seq: { start_at: 5 } }), [5, 6]],
    ['a range with nothing in it', () => ({ seq: { start_at: 5, end_at: 4 } }), []],
    ['a type', () => ({ type: 'note' }), [1, 3, 6]],
    ['types', () => ({ type: ['chat', 'Shared'] }), [2, 5]],
    ['a type that never was', () => ({ type: 'nothing' }), []],
    ['a from', () => ({ from: member.id }), [2, 4]],
    ['froms', () => ({ from: [member.id, stranger.id] }), [2, 4]],
    ['a time', () => ({ timestamp: times[3] }), [3]],
    ['times', () => ({ timestamp: [times[3], times[5]] }), [3, 5]],
    ['a range of times', () => ({ timestamp: { start_after: times[2], end_at: times[4] } }), [3, 4]],
    ['a time before all', () => ({ timestamp: { end_before: times[0] } }), []],
    ['a tag', () => ({ tags: { topic: true } }), [1, 2, 4]],
    ['a tag with a value', () => ({ tags: { topic: 'a' } }), [1]],
    ['a tag with values', () => ({ tags: { topic: ['a', 'b'] } }), [1, 2]],
    ['two tags', () => ({ tags: { topic: true, e: 'x' } }), [1]],
    ['a tag beyond ASCII', () => ({ tags: { é: 'ü' } }), [6]],
    ['a lane', () => ({ lane: 0 }), [0, 1, 2, 3, 4, 5, 6]],
    ['a lane that is not there', () => ({ lane: 1 }), []],
    [
      'all together',
      () => ({
        type: ['note', 'chat'],
        from: owner.id,
        seq: { start_at: 1 },
        timestamp: { start_at: times[1] },
        limit: 1,
        reverse: true,
      }),
      [6],
    ],
  ];
  for (const [what, filter, expected] of cases) {
    it(`filters by ${what}`, async () => assert.deepEqual(await seqs(filter()), expected));
  }

  it('filters by id, in one value or many', async () => {
    const events = await enclave.events(owner);
    const ids = events.map(({ id }) => id);
    assert.deepEqual(await seqs({ id: ids[4] }), [4]);
    assert.deepEqual(await seqs({ id: [ids[5], ids[2], 'ab'.repeat(32)] }), [2, 5]);
    assert.deepEqual(await seqs({ id: 'ab'.repeat(32) }), []);
  });

  const bad: unknown[] = [
    null,
    [],
    'all',
    1,
    { more: 1 },
    { limit: 0 },
    { limit: 1001 },
    { limit: -1 },
    { limit: '1' },
    { limit: null },
    { reverse: 1 },
    { reverse: null },
    { id: 'x' },
    { id: 1 },
    { id: 'AB'.repeat(32) },
    { id: Array(101).fill('ab'.repeat(32)) },
    { type: 1 },
    { type: '' },
    { type: 'a b' },
    { type: 'x'.repeat(65) },
    { type: Array(101).fill('note') },
    { from: 'me' },
    { from: [1] },
    { seq: -1 },
    { seq: '1' },
    { seq: [true] },
    { seq: Array(101).fill(1) },
    { seq: { from: 1 } },
    { seq: { start_at: 1, start_after: 1 } },
    { seq: { end_at: 1, end_before: 1 } },
    { seq: { start_at: '1' } },
    { timestamp: null },
    { timestamp: { start_at: true } },
    { seq: [] },
    { type: [] },
    { id: [] },
    { tags: [] },
    { tags: { a: false } },
    { tags: { a: 1 } },
    { tags: { a: [1] } },
    { tags: { a: {} } },
    { tags: { a: Array(101).fill('v') } },
    { lane: -1 },
    { lane: 'x' },
    { tags: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`t${i}`, true])) },
  ];
  for (const filter of bad) {
    const text = JSON.stringify(filter);
    it(`refuses the filter ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`, async () =>
      refused(await enclave.query(owner, filter), 'invalid_filter'));
  }

  it('needs a filter, be it empty', async () => {
    refused(await node.post('/', { type: 'Query', ...enclave.envelope(owner) }), 'invalid_filter');
  });
});

describe('Pull', () => {
  it('goes on behind after_seq, in order, and tells the head', async () => {
    const all = await enclave.pull(owner);
    assert.ok(all.body.endsWith('],"head":6}'), all.body.slice(-60));
    const read = async (more: object): Promise<unknown> =>
      (JSON.parse((await enclave.pull(owner, more)).body) as { events: { seq: number }[] }).events.map(
        ({ seq }) => seq,
      );
    assert.deepEqual(await read({ after_seq: -1, limit: 3 }), [0, 1, 2]);
    assert.deepEqual(await read({ after_seq: 2, limit: 3 }), [3, 4, 5]);
    assert.deepEqual(await read({ after_seq: 6 }), []);
    assert.deepEqual(await read({ after_seq: 2 ** 53 - 1 }), []);
    answered(await enclave.pull(owner, { after_seq: 6 }), '{"type":"Response","events":[],"head":6}');
  });

  for (const more of [
    { after_seq: -2 },
    { after_seq: '0' },
    { after_seq: null },
    { limit: 0 },
    { limit: 1001 },
    { limit: 'x' },
  ]) {
    it(`refuses ${JSON.stringify(more)}`, async () => refused(await enclave.pull(owner, more), 'invalid_filter'));
  }

  it('refuses a filter', async () => refused(await enclave.pull(owner, { filter: {} }), 'invalid_commit'));

  it('is also for those who hold P alone', async () => {
    const events = (JSON.parse((await enclave.pull(member)).body) as { events: { type: string }[] }).events;
    assert.deepEqual([...new Set(events.map(({ type }) => type))].toSorted(), ['Shared', 'chat', 'feed']);
    assert.deepEqual(await seqs({ type: 'feed' }, member), [], 'P is not R');
  });
});

describe('reading rights, event by event', () => {
  it('leaves out what the reader may not read, before limit', async () => {
    assert.deepEqual(await seqs({}, reader), [1, 3, 6]);
    assert.deepEqual(await seqs({ limit: 2 }, reader), [1, 3]);
    assert.deepEqual(await seqs({}, member), [2, 5]);
    assert.deepEqual(await seqs({ type: 'Manifest' }, reader), []);
  });

  it('follows a change of the column at once, and keeps what retention allows', async () => {
    const late = await TestEnclave.found(node);
    const guest = person('guest');
    refused(await late.query(guest), 'forbidden');
    await late.commit(owner, 'Move', { target: guest.id, from: 'OUTSIDER', to: 'MEMBER' });
    await late.commit(guest, 'chat', 'mine');
    await late.commit(member, 'chat', 'theirs');
    assert.equal((await late.events(guest, { type: 'chat' })).length, 2);
    await late.commit(owner, 'Move', { target: guest.id, from: 'MEMBER', to: 'OUTSIDER' });
    await late.commit(member, 'chat', 'after');
    assert.equal(
      (await late.events(guest, { type: 'chat' })).length,
      2,
      'snapshot retention: up to the loss, no further',
    );
    assert.equal((await late.events(member, { type: 'chat' })).length, 3);
  });
});

describe('updated and deleted events', () => {
  it('carry status; a deleted one has content_hash in place of its content, and everything still verifies', async () => {
    const own = await TestEnclave.found(node);
    const one = await own.commit(owner, 'note', { secret: 'first' });
    const two = await own.commit(owner, 'note', { secret: 'second' }, { tags: [['topic', 'z']] });
    const three = await own.commit(owner, 'note', { secret: 'third' });
    await own.commit(owner, 'Update', { target: one.id, content: { secret: 'first, again' } });
    await own.commit(owner, 'Update', { target: two.id, content: { secret: 'second, again' } });
    await own.commit(owner, 'Delete', { target: two.id });
    const answer = await own.query(owner, {});
    assert.equal(answer.status, 200, answer.body.slice(0, 300));
    const parsed = parseJson(answer.bytes)?.value as ReadonlyMap<string, unknown>;
    const events = (parsed.get('events') as never[]).map((value) => parseEvent(value)!);
    for (const event of events) assert.equal(verifyEvent(event, secp), null);
    const [, a, b, c, firstUpdate, secondUpdate, removal] = events;
    assert.deepEqual(
      [a, b, c, firstUpdate, removal].map((event) => event?.status),
      ['updated', 'deleted', undefined, undefined, undefined],
    );
    assert.equal(c?.id, three.id);
    assert.ok(a?.content && !a.content_hash);
    assert.ok(b?.content === null && b.content_hash);
    assert.ok(secondUpdate?.content === null && secondUpdate.content_hash);
    assert.ok(removal?.content);
    assert.ok(!answer.body.includes('second'), 'nothing of it is left');
    assert.deepEqual(
      (await own.events(owner, { type: 'note', tags: { topic: 'z' } })).map(({ id }) => id),
      [two.id],
      'filters go on matching',
    );
    refused(await own.send(owner, 'Update', { target: two.id, content: 1 }), 'deleted');
    refused(await own.send(owner, 'Delete', { target: two.id }), 'deleted');
    refused(await own.send(owner, 'Delete', { target: 'ab'.repeat(32) }), 'event_not_found');
    refused(await own.send(owner, 'Delete', { target: events[0]?.id }), 'event_not_found');
  });
});

describe('Info', () => {
  it('is public and canonical', async () => {
    const fresh = await TestEnclave.found(node);
    const answer = await node.post('/', { type: 'Info', enclave: fresh.id });
    const { timestamp, manifest: id } = JSON.parse(answer.body) as { timestamp: number; manifest: string };
    answered(
      answer,
      `{"type":"Info","enclave":"${fresh.id}","sequencer":"${fresh.sequencer}","head":0,"timestamp":${timestamp},"status":"active","bundle":{"size":4,"timeout":600000},"lanes":0,"manifest":"${id}"}`,
    );
    assert.deepEqual(
      (await fresh.events(owner)).map((event) => event['id']),
      [id],
    );
    answered(await node.post(`/enclave/${fresh.id}`, { type: 'Info' }), answer.body);
    refused(await node.post('/', { type: 'Info' }), 'invalid_commit');
    refused(await node.post('/', { type: 'Info', enclave: fresh.id, more: 1 }), 'invalid_commit');
    refused(await node.post('/', { type: 'Info', enclave: 'ab'.repeat(32) }), 'enclave_not_found');
  });

  it('tells the status', async () => {
    const own = await TestEnclave.found(node);
    await own.commit(owner, 'Pause', {});
    assert.equal((await own.info())['status'], 'paused');
    await own.commit(owner, 'Terminate', {});
    assert.equal((await own.info())['status'], 'terminated');
  });
});
