import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EncClient } from '../../client/client.ts';
import type { Enclave } from '../../client/enclave.ts';
import { EncError, NodeLied, Refused } from '../../client/errors.ts';
import { person } from '../../kernel/reference/memory-node.test-util.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { type Mutation, mutations } from './mutations.ts';
import { FixedHeads, type Tamper, World } from './world.ts';

/**
 * A lying node: honest answers of every call with one thing changed, or exchanged for another answer that was honest
 * elsewhere or earlier. The client must refuse all of them.
 */
const secp = openSecp256k1();
const world = await new World(secp).fill({ nonce: 'one' });
const other = await new World(secp).fill({ nonce: 'two' });
let forged = 0;

interface Scenario {
  readonly name: string;
  /** Which answers are forged. */
  readonly target: (request: { path: string; body: Record<string, unknown> }) => boolean;
  /** Honest calls before, as a client has made them that has been here a while. */
  readonly before?: (room: Enclave) => Promise<unknown>;
  readonly run: (room: Enclave, client: EncClient) => Promise<unknown>;
  /** Changes that no client can see in this answer alone: what PROTOCOL leaves to the node's word. */
  readonly word?: (mutation: string) => boolean;
  /** A node that really lies goes on lying when it is asked again. */
  readonly persistent?: boolean;
  /** Refusals that an honest part of the node gives where the lie leads the client to ask wrongly. */
  readonly allow?: readonly string[];
  /** Nothing is remembered of the enclave. */
  readonly stranger?: boolean;
}

const type = (name: string) => (request: { body: Record<string, unknown> }) => request.body['type'] === name;
const path = (start: string) => (request: { path: string }) => request.path.startsWith(start);
const commitOf = (request: { body: Record<string, unknown> }) => 'exp' in request.body;
const contentType = ['message', 'Move'] as const;

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'receipt of a commit',
    target: commitOf,
    run: (room) => room.submit(world.commits[3] as never),
  },
  {
    name: 'receipt of the Manifest',
    target: commitOf,
    run: (room) => room.submit(world.commits[0] as never),
  },
  {
    name: 'receipts of an array',
    target: ({ path: at, body }) => at === '/' && Object.keys(body).length === 0,
    run: async (room) => {
      const answers = await room.submitAll(world.commits.slice(1, 4));
      for (const answer of answers) if (answer instanceof EncError) throw answer;
    },
  },
  {
    name: 'receipt asked for later',
    target: path(`/${world.enclave}/receipt/`),
    run: (room) => room.receipt(world.commits[2] as never),
  },
  {
    name: 'query',
    target: type('Query'),
    run: (room) => room.query({ type: contentType }, { proveStatus: true }),
    // Leaving events out is caught by `pull` with `complete` and by `verify`.
    word: (name) => /events (empty list|without)/.test(name),
    persistent: true,
  },
  {
    name: 'query for one event by id',
    target: type('Query'),
    run: (room) => room.query({ id: world.receipts[2]?.id as string }, { proveStatus: true }),
    word: (name) => /events (empty list|without)/.test(name),
    persistent: true,
  },
  {
    name: 'query, newest first, by tag and author',
    target: type('Query'),
    run: (room) =>
      room.query({ from: world.alice.id, tags: { topic: ['x', 'y'] }, reverse: true }, { proveStatus: true }),
    word: (name) => /events (empty list|without)/.test(name),
    persistent: true,
  },
  {
    name: 'pull by somebody who reads everything',
    target: type('Pull'),
    run: async (room) => {
      for await (const event of room.pull({ complete: true, pageSize: 4 })) void event;
    },
    // The status field is not signed; `query` with `proveStatus` and `verify` check it.
    word: (name) => /(status|drop status)/.test(name),
  },
  {
    name: 'info',
    target: type('Info'),
    before: (room) => room.query({ seq: [0, world.receipts.length - 1] }),
    run: (room) => room.info(),
    // Info is not signed: a head beyond the true one, its time and the status are the node's word.
    word: (name) => /^(head plus one|timestamp plus one|lanes plus one)$/.test(name),
  },
  {
    name: 'tree head',
    target: path(`/${world.enclave}/sth`),
    run: (room) => room.sth(),
  },
  {
    name: 'consistency of remembered and current tree head',
    target: path(`/${world.enclave}/consistency`),
    run: (room) => room.consistency(world.older, world.newer),
  },
  {
    name: 'inclusion of a bundle',
    target: path('/inclusion'),
    run: (room) => room.inclusion({ leaf_index: 0 }),
  },
  {
    name: 'bundle proof by id',
    target: path('/bundle'),
    run: (room) => room.prove({ id: world.receipts[2]?.id as string }),
  },
  {
    name: 'bundle proof by seq',
    target: path('/bundle'),
    before: (room) => room.query({ seq: 6 }),
    run: (room) => room.prove({ seq: 6 }),
  },
  {
    name: 'inclusion proof behind a bundle proof',
    target: path('/inclusion'),
    run: (room) => room.prove({ seq: 6 }),
  },
  {
    name: 'state of a member',
    target: path('/state'),
    run: (room) => room.state({ member: world.bob.id }),
  },
  {
    name: 'state of a stranger',
    target: path('/state'),
    run: (room) => room.state({ member: person('stranger').id }),
  },
  {
    name: 'state of a slot',
    target: path('/state'),
    run: (room) => room.state({ shared: 'topic' }),
  },
  {
    name: 'state of a slot that is not there',
    target: path('/state'),
    run: (room) => room.state({ own: 'profile', from: world.alice.id }),
  },
  {
    name: 'inclusion proof behind a state proof',
    target: path('/inclusion'),
    run: (room) => room.state({ event: world.receipts[2]?.id as string }),
  },
  {
    name: 'many states at once',
    target: path('/state-batch'),
    run: (room) =>
      room.stateBatch([{ member: world.alice.id }, { member: world.bob.id }, { member: person('stranger').id }]),
  },
  {
    name: 'info at the first meeting',
    target: type('Info'),
    run: (room) => room.query({ seq: 0 }),
    word: (name) =>
      /^((head|timestamp|lanes|bundle\S*) (plus|minus) one|(manifest|bundle) (flip|zero|swap).*|status .*|answer swap (head|lanes|timestamp) .*|bundle swap.*)/.test(
        name,
      ),
    allow: ['invalid_session'],
    stranger: true,
  },
  {
    name: 'Manifest at the first meeting',
    target: type('Query'),
    run: (room) => room.sth(),
    // Without the Manifest the client believes the first sequencer it sees, and says so (`trust.source`).
    word: (name) => /events (empty list|without)/.test(name),
    stranger: true,
  },
  {
    name: 'events under full verification',
    target: type('Pull'),
    run: (room) => room.verify(),
  },
  {
    name: 'bundles under full verification',
    target: path('/inclusion'),
    run: (room) => room.verify(),
  },
  {
    // Last, because it closes the open bundle.
    name: 'tree head of close-bundle',
    target: path('/enclaves/'),
    run: (room, client) => client.admin().closeBundle(room),
  },
];

for (const scenario of SCENARIOS) {
  test(`a forged answer is refused: ${scenario.name}`, async () => {
    const honest = await record(scenario);
    assert.ok(honest.length > 0, 'no answer to forge');
    const accepted: string[] = [];
    let count = 0;
    let inContent = 0;
    for (const [nth, answer] of honest.entries()) {
      for (const mutation of mutations(answer)) {
        if (scenario.word?.(mutation.name)) continue;
        // One hash covers all of a content: a sample of the places in it is enough.
        if (mutation.name.includes('.content.') && inContent++ % 12 !== 0) continue;
        count++;
        const outcome = await meet(scenario, nth, mutation);
        if (outcome !== 'refused') accepted.push(`answer ${nth}: ${mutation.name}: ${outcome}`);
      }
      if (scenario.persistent) break;
    }
    forged += count;
    assert.deepEqual(accepted, [], `${accepted.length} of ${count} forgeries got through`);
  });
}

/** The honest answers that the scenario's client gets to what it forges. */
async function record(scenario: Scenario): Promise<unknown[]> {
  const answers: unknown[] = [];
  const client = world.client((request, answer) => {
    if (scenario.target(request)) answers.push(answer);
    return answer;
  }, memory(scenario));
  const room = client.enclave(world.enclave, { key: world.alice });
  await scenario.before?.(room);
  answers.length = 0;
  await scenario.run(room, client);
  return answers;
}

async function meet(scenario: Scenario, nth: number, mutation: Mutation): Promise<string> {
  let armed = false;
  let seen = 0;
  const tamper: Tamper = (request, answer) => {
    if (!armed || !scenario.target(request)) return answer;
    return seen++ === nth || scenario.persistent ? mutation.value : answer;
  };
  const client = world.client(tamper, memory(scenario));
  const room = client.enclave(world.enclave, { key: world.alice });
  await scenario.before?.(room);
  armed = true;
  return refusal(() => scenario.run(room, client), scenario.allow);
}

function memory(scenario: Scenario): FixedHeads {
  return scenario.stranger ? new FixedHeads() : world.heads.copy();
}

async function refusal(run: () => Promise<unknown>, allow: readonly string[] = []): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof NodeLied || (error instanceof Refused && allow.includes(error.code))) return 'refused';
    return `threw ${(error as Error).stack}`;
  }
  return 'accepted';
}

/** Honest answers at the wrong place or time: each is signed by somebody, and wrong all the same. */
const REPLAYS: readonly {
  name: string;
  target: Scenario['target'];
  answer: () => Promise<unknown>;
  run: Scenario['run'];
  allow?: readonly string[];
}[] = [
  {
    name: 'an older tree head',
    target: path(`/${world.enclave}/sth`),
    answer: async () => world.older,
    run: (room) => room.sth(),
  },
  {
    name: "another enclave's tree head",
    target: path(`/${world.enclave}/sth`),
    answer: async () => other.newer,
    run: (room) => room.sth(),
  },
  {
    name: 'the receipt of another commit',
    target: commitOf,
    answer: async () => world.receipts[2],
    run: (room) => room.submit(world.commits[3] as never),
  },
  {
    name: "another enclave's receipt",
    target: commitOf,
    answer: async () => other.receipts[3],
    run: (room) => room.submit(world.commits[3] as never),
  },
  {
    name: "another enclave's events",
    target: type('Query'),
    answer: async () => ({ type: 'Response', events: await other.room().query({ type: 'message' }) }),
    run: (room) => room.query({ type: 'message' }),
  },
  {
    name: 'events that were not asked for',
    target: type('Query'),
    answer: async () => ({ type: 'Response', events: await world.room().query({ type: 'Move' }) }),
    run: (room) => room.query({ type: 'message' }),
  },
  {
    name: 'an event of another author',
    target: type('Query'),
    answer: async () => ({ type: 'Response', events: await world.room().query({ type: 'message' }) }),
    run: (room) => room.query({ type: 'message', from: world.bob.id }),
  },
  {
    name: 'more events than asked for',
    target: type('Query'),
    answer: async () => ({ type: 'Response', events: await world.room().query({}) }),
    run: (room) => room.query({ limit: 3 }),
  },
  {
    name: 'an event from before the range',
    target: type('Query'),
    answer: async () => ({ type: 'Response', events: await world.room().query({ seq: 2 }) }),
    run: (room) => room.query({ seq: { start_after: 2, end_at: 4 } }),
  },
  {
    name: 'an old page of a pull',
    target: type('Pull'),
    answer: async () => ({ type: 'Response', events: await world.room().query({ seq: [0, 1] }), head: 1 }),
    run: async (room) => {
      for await (const event of room.pull({ afterSeq: 1 })) void event;
    },
  },
  {
    name: 'an old head of a pull',
    target: type('Pull'),
    answer: async () => ({ type: 'Response', events: [], head: 3 }),
    run: async (room) => {
      for await (const event of room.pull({ afterSeq: 3 })) void event;
    },
  },
  {
    name: "another enclave's Info",
    target: type('Info'),
    answer: () => other.room().info(),
    run: (room) => room.info(),
  },
  {
    name: "another bundle's inclusion proof",
    target: path('/inclusion'),
    answer: () => rawInclusion(1),
    run: (room) => room.inclusion({ leaf_index: 0 }),
  },
  {
    name: "another event's bundle proof",
    target: path('/bundle'),
    answer: () => world.room().bundle({ seq: 1 }),
    run: (room) => room.prove({ seq: 2 }),
  },
  {
    name: "another member's state",
    target: path('/state'),
    answer: () => rawState(world.alice.id),
    run: (room) => room.state({ member: world.bob.id }),
  },
  {
    name: 'a member from before the last bundle',
    target: path('/state'),
    answer: async () => world.earlierState,
    run: (room) => room.state({ member: world.bob.id }),
  },
  {
    name: "another enclave's consistency proof",
    target: path(`/${world.enclave}/consistency`),
    answer: async () => ({ ts1: 1, ts2: 2, p: await other.room().consistency(other.older, other.newer) }),
    run: (room) => room.consistency(world.older, world.newer),
  },
  {
    name: 'an empty answer where a receipt must be',
    target: commitOf,
    answer: async () => ({}),
    run: (room) => room.submit(world.commits[3] as never),
  },
  {
    name: 'the sequencer of somebody else',
    target: type('Sequencer'),
    answer: async () => ({ type: 'Sequencer', sequencer: person('somebody').id }),
    run: () => lyingSequencer(),
    allow: ['invalid_manifest'],
  },
];

async function rawInclusion(leaf: number): Promise<unknown> {
  const { sth: _sth, ...answer } = await world.room().inclusion({ leaf_index: leaf });
  return answer;
}

async function rawState(member: string): Promise<unknown> {
  let answer: unknown;
  await world
    .room((request, got) => {
      if (request.path.startsWith('/state')) answer = got;
      return got;
    })
    .state({ member });
  return answer;
}

function lyingSequencer(): Promise<unknown> {
  const tamper: Tamper = (request, answer) =>
    request.body['type'] === 'Sequencer' ? { type: 'Sequencer', sequencer: person('somebody').id } : answer;
  return world.client(tamper, new FixedHeads()).create(world.alice, { enc_v: 2, RBAC: {} });
}

for (const { name, target, answer, run, allow = [] } of REPLAYS) {
  test(`an honest answer at the wrong place is refused: ${name}`, async () => {
    const forgery = await answer();
    const room = world.room((request, got) => (target(request) ? forgery : got), world.heads.copy());
    await assert.rejects(
      run(room, world.client()),
      (error: unknown) => error instanceof NodeLied || (error instanceof Refused && allow.includes(error.code)),
    );
    forged++;
  });
}

/** The same enclave, hosted by somebody with another key: its Manifest names no sequencer, so the id is the same. */
const free = await new World(secp).fill({ nonce: 'free', nameSequencer: false });
const thief = await new World(secp, person('thief')).fill({ nonce: 'free', nameSequencer: false });
const STOLEN: readonly { name: string; run: (room: Enclave) => Promise<unknown> }[] = [
  { name: 'tree head', run: (room) => room.sth() },
  { name: 'Info', run: (room) => room.info() },
  { name: 'receipt', run: (room) => room.submit(free.commits[3] as never) },
  { name: 'events', run: (room) => room.query({ type: 'message' }) },
  { name: 'pull', run: (room) => room.pull().next() },
  { name: 'whole enclave', run: (room) => room.verify() },
];
for (const { name, run } of STOLEN) {
  test(`the answers of another sequencer are refused: ${name}`, async () => {
    assert.equal(free.enclave, thief.enclave);
    const thieves = thief.node;
    // Sessions name the sequencer that the client knows, so the thief has to take any session.
    const open: typeof thieves.fetch = async (url, init) => {
      const body = typeof init.body === 'string' ? (JSON.parse(init.body) as Record<string, unknown>) : undefined;
      if (!body?.['session']) return thieves.fetch(url, init);
      const session = thieves.enclaves.get(free.enclave)?.session(person('alice'));
      return thieves.fetch(url, { ...init, body: JSON.stringify({ ...body, session }) });
    };
    const client = new EncClient('http://node.test', {
      fetch: open,
      secp,
      clock: thieves.clock,
      store: free.heads.copy(),
      retryMs: 0,
    });
    await assert.rejects(run(client.enclave(free.enclave, { key: free.alice })), NodeLied);
    forged++;
  });
}

test('an honest node with the same history passes all of these checks', async () => {
  const room = free.room(undefined, free.heads.copy());
  for (const { run } of STOLEN) await run(room);
});

test('at least 500 forgeries were made', () => {
  console.log(`${forged} forged answers, all refused`);
  assert.ok(forged >= 500, `only ${forged} forgeries`);
});
