import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Event, signEvent } from '../../protocol/event.ts';
import { keySeed, sequencerSecret } from '../../protocol/hash.ts';
import { type EnclaveId, unhex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { receiptJson, receiptOfEvent } from '../../protocol/receipt.ts';
import { type Sth, signSth } from '../../protocol/sth.ts';
import { missing } from '../parts/redis.ts';
import { checkHistory } from './check-history.ts';
import { FaultCluster, type ShardPart } from './cluster/fault-cluster.ts';
import { Load } from './cluster/load.ts';
import { type Attempt, History, isReceipt } from './history.ts';
import { checkSecrets, judge } from './judge.ts';
import { NodeProcess } from './node-process.ts';
import type { View } from './outside-view.ts';
import { Random } from './random.ts';
import { checkReplay } from './replay-both.ts';
import { putTogether, takeApart } from './snapshot-items.ts';
import { Tally } from './tally.ts';
import { type Identity, secp, sign } from './wire.ts';
import { Address, Workload } from './workload.ts';

const SEED = 'planted';
const random = new Random(SEED);
const folder = mkdtempSync(join(tmpdir(), 'enc-faults-'));
let data = '';
const BUNDLES = [
  { size: 4, timeout: 5000 },
  { size: 8, timeout: 5000 },
];
let history: History;
let views: ReadonlyMap<string, View>;

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? Mutable<U>[] : T[K] };
type Views = Map<string, { -readonly [K in keyof View]: View[K] }>;

/** A real run of a single node, without faults: what the plants are put into. Returns the folder of its keys. */
async function recordNode(): Promise<string> {
  const place = join(folder, 'data');
  const node = await NodeProcess.start({ data: place });
  try {
    const address = new Address();
    address.up(node.url);
    const workload = new Workload(address, random);
    for (const bundle of BUNDLES) await workload.found(bundle);
    await Promise.all([workload.client(30), workload.client(30)]);
    await record(node.url, workload);
  } finally {
    await node.stop();
  }
  return place;
}

/** The same of a cluster, a shard of which is killed and comes back meanwhile. */
async function recordCluster(): Promise<string> {
  const cluster = await FaultCluster.start(join(folder, 'cluster'), { shards: 2, routers: 1 });
  try {
    const load = new Load(cluster.routers, random);
    await load.found(2, 1, BUNDLES);
    load.start(3);
    await load.receipts(20);
    const [part] = cluster.shards as [ShardPart];
    await cluster.kill(part);
    await load.served();
    await cluster.startShard(part);
    await load.receipts(20);
    await load.stop();
    await record(cluster.url, load.workload);
  } finally {
    await cluster.stop();
  }
  return cluster.data;
}

async function record(url: string, workload: Workload): Promise<void> {
  for (const enclave of workload.enclaves) await workload.read(enclave, -1);
  for (const enclave of workload.enclaves) for (let i = 0; i < 5; i++) await workload.ask([workload.note(enclave)]);
  const judged = await judge(url, workload.history, random, new Tally());
  assert.deepEqual(judged.violations, []);
  history = workload.history;
  views = judged.views;
}

after(() => rmSync(folder, { recursive: true, force: true }));

function copy(): { history: History; views: Views } {
  const own = new History();
  own.enclaves.push(...history.enclaves);
  own.asked.push(...history.asked.map(({ commit, attempts }) => ({ commit, attempts: structuredClone(attempts) })));
  own.heads.push(...structuredClone(history.heads));
  for (const event of history.seen) own.see(event);
  return {
    history: own,
    views: new Map(
      [...views].map(([id, view]) => [
        id,
        { ...structuredClone({ ...view, snapshot: null }), snapshot: view.snapshot },
      ]),
    ),
  };
}

const first = (all: Views): Mutable<View> => [...all.values()][0] as unknown as Mutable<View>;

/** The sequencer's own key: the plants that matter most are signed. */
function secretOf(view: Pick<View, 'events'>): Uint8Array {
  const { versions } = JSON.parse(readFileSync(join(data, 'keys', 'master.json'), 'utf8')) as {
    versions: { secret: string }[];
  };
  const manifest = view.events[0] as Event;
  return sequencerSecret(unhex(versions[0]?.secret ?? ''), keySeed(unhex(manifest.from), manifest.content, []));
}

const flip = (hex: string): string => (hex[0] === '0' ? '1' : '0') + hex.slice(1);

/** A receipt of an event in this view, as an attempt that can be changed. */
function acknowledged(
  own: History,
  view: Pick<View, 'enclave'>,
): { attempt: Mutable<Attempt>; asked: History['asked'][number] } {
  const asked = random.pick(
    own.asked.filter(
      ({ commit, attempts }) =>
        commit.enclave === view.enclave.id &&
        commit.type === 'note' &&
        attempts.some(({ answer }) => isReceipt(answer)),
    ),
  );
  return { asked, attempt: asked.attempts.find(({ answer }) => isReceipt(answer)) as Mutable<Attempt> };
}

const PLANTS: Record<string, { expect: RegExp; plant: (own: { history: History; views: Views }) => void }> = {
  'a lost receipt': {
    expect: /^I1 acknowledged seq \d+ .* is missing/,
    plant: ({ views }) => {
      const view = first(views);
      view.events.pop();
      view.head--;
    },
  },
  'a lost event in the middle': {
    expect: /^I3 seq/,
    plant: ({ views }) => void first(views).events.splice(random.int(1, 8), 1),
  },
  'a head that is ahead of the events': { expect: /^I3 the head/, plant: ({ views }) => void first(views).head++ },
  'two events in each other’s place': {
    expect: /^I1 acknowledged seq \d+ .* is another event/,
    plant: ({ views }) => {
      const { events } = first(views);
      const at = random.int(1, events.length - 2);
      [events[at], events[at + 1]] = [events[at + 1] as Event, events[at] as Event];
    },
  },
  'another event, signed, under an acknowledged seq': {
    expect: /^I2 two events under seq/,
    plant: ({ views }) => {
      const view = first(views);
      const at = view.events.length - 1;
      const event = view.events[at] as Event;
      view.events[at] = signEvent(event, { timestamp: event.timestamp + 1, seq: event.seq }, secretOf(view), secp);
    },
  },
  'a receipt of a fenced owner, under a seq that the next owner gave to another commit': {
    expect: /^I2 two events under seq \d+ .* in the log/,
    plant: ({ history, views }) => {
      const view = first(views);
      const { seq, timestamp, exp } = view.events.at(-2) as Event;
      const { owner, id } = view.enclave;
      const draft = { enclave: id as EnclaveId, type: 'note', content: toJson({ by: 'the former owner' }), exp };
      const commit = sign(owner as Identity, draft);
      const answer = receiptJson(receiptOfEvent(signEvent(commit, { timestamp, seq }, secretOf(view), secp)));
      history.asked.push({ commit, attempts: [{ sent: 1, got: 2, life: 1, status: 200, answer }] });
    },
  },
  'events of a former owner that landed behind a fence': {
    expect: /^event \d+ of [0-9a-f]+ is a commit that nobody sent/,
    plant: ({ history, views }) => {
      const view = first(views);
      const last = view.events.at(-1) as Event;
      const at = history.asked.findIndex(({ commit }) => commit.hash === last.hash);
      history.asked.splice(at, 1);
    },
  },
  'an acknowledged event that an Update does not find': {
    expect: /^I1 acknowledged event [0-9a-f]+ .* was not found by Update/,
    plant: ({ history, views }) => {
      const view = first(views);
      const { asked, attempt } = acknowledged(history, view);
      const target = view.events.find(({ hash }) => hash === asked.commit.hash)?.id ?? '';
      const draft = { enclave: asked.commit.enclave, type: 'Update', content: toJson({ target, content: 1 }) };
      const commit = sign(view.enclave.owner as Identity, { ...draft, exp: asked.commit.exp });
      const sent = attempt.got + 10_000;
      const answer = '{"type":"Error","error":"event_not_found","message":"There is no such event."}';
      history.asked.push({ commit, attempts: [{ ...attempt, sent, got: sent + 1, status: 404, answer }] });
    },
  },
  'one commit accepted twice': {
    expect: /^I4 commit [0-9a-f]+ is twice/,
    plant: ({ views }) => {
      const view = first(views);
      const event = view.events[random.int(1, 5)] as Event;
      view.events.push(
        signEvent(
          event,
          { timestamp: view.events.at(-1)?.timestamp ?? 0, seq: view.events.length },
          secretOf(view),
          secp,
        ),
      );
      view.head++;
    },
  },
  'a second receipt for a commit': {
    expect: /^I4 two receipts/,
    plant: ({ history, views }) => {
      const view = first(views);
      const { asked, attempt } = acknowledged(history, view);
      const event = view.events.find(({ hash }) => hash === asked.commit.hash) as Event;
      const other = receiptJson(
        receiptOfEvent(signEvent(event, { timestamp: event.timestamp, seq: event.seq + 1 }, secretOf(view), secp)),
      );
      asked.attempts.push({ ...attempt, answer: other });
    },
  },
  'a receipt with a wrong signature': {
    expect: /does not verify: invalid_/,
    plant: ({ history, views }) => {
      const { attempt } = acknowledged(history, first(views));
      attempt.answer = attempt.answer.replace(/"seq_sig":"(.)/, (_, digit: string) => `"seq_sig":"${flip(digit)}`);
    },
  },
  'a receipt of another sequencer': {
    expect: /signed by another sequencer/,
    plant: ({ history, views }) => {
      const view = first(views);
      const { asked, attempt } = acknowledged(history, view);
      const event = view.events.find(({ hash }) => hash === asked.commit.hash) as Event;
      attempt.answer = receiptJson(receiptOfEvent(signEvent(event, event, random.bytes(32), secp)));
    },
  },
  'a receipt that reads back differently': {
    expect: /^I4 the receipt of .* reads back differently/,
    plant: ({ views }) => {
      const view = first(views);
      const [hash, answer] = [...view.receipts][0] as [string, string];
      (view.receipts as Map<string, string>).set(hash, answer.replace('"seq":', '"seq":1'));
    },
  },
  'a refused commit in the log': {
    expect: /was refused .* and is in the log/,
    plant: ({ history, views }) => {
      const { asked } = acknowledged(history, first(views));
      for (const attempt of asked.attempts as Mutable<Attempt>[])
        Object.assign(attempt, { status: 403, answer: '{"type":"Error","error":"forbidden","message":"x"}' });
    },
  },
  'a commit that nobody sent': {
    expect: /is a commit that nobody sent/,
    plant: ({ history, views }) =>
      void history.asked.splice(history.asked.indexOf(acknowledged(history, first(views)).asked), 1),
  },
  'an internal error': {
    expect: /answered 'internal'/,
    plant: ({ history, views }) =>
      void acknowledged(history, first(views)).asked.attempts.push({
        sent: 0,
        got: 0,
        life: 1,
        status: 500,
        answer: '{"type":"Error","error":"internal","message":"x"}',
      }),
  },
  'a pulled event that is another one now': {
    expect: /^I2 two events under seq/,
    plant: ({ history }) => {
      const seen = random.pick([...history.seen]);
      history.see({ ...seen, id: flip(seen.id) });
    },
  },
  'a pulled event that is gone': {
    expect: /^I1 event \d+ of .* was shown and is missing/,
    plant: ({ history, views }) =>
      history.see({
        enclave: first(views).enclave.id,
        seq: 9999,
        id: flip(views.keys().next().value as string),
        hash: '',
      }),
  },
  'an event whose content was changed': {
    expect: /does not verify: invalid_hash/,
    plant: ({ views }) => {
      const view = first(views);
      const at = view.events.findIndex(({ type, content }) => type === 'note' && content !== null);
      view.events[at] = { ...(view.events[at] as Event), content: 'another' };
    },
  },
  'time that goes back': {
    expect: /^I3 time goes back/,
    plant: ({ views }) => {
      const { events } = first(views);
      events[5] = { ...(events[5] as Event), timestamp: (events[4] as Event).timestamp - 1 };
    },
  },
  'two signed tree heads of one size': {
    expect: /^I6 two tree heads/,
    plant: ({ history, views }) => {
      const view = first(views);
      history.heads.push(signSth({ ...view.sth, r: flip(view.sth.r) as Sth['r'] }, secretOf(view), secp));
    },
  },
  'a signed tree head of a log that was longer': {
    expect: /^I6 a tree head of .* had \d+ bundles, now/,
    plant: ({ history, views }) => {
      const view = first(views);
      history.heads.push(signSth({ ...view.sth, ts: view.sth.ts + 1 }, secretOf(view), secp));
    },
  },
  'an unsigned tree head': {
    expect: /^I6 a tree head of .* is not signed/,
    plant: ({ views }) => {
      const view = first(views);
      view.sth = { ...view.sth, sig: flip(view.sth.sig) as Sth['sig'] };
    },
  },
  'tree heads that do not continue each other': {
    expect: /^I6 tree head \d+ of .* does not continue/,
    plant: ({ views }) => {
      const one = random.pick(
        [...views.values()].flatMap((view) => view.consistency).filter(({ path }) => (path?.length ?? 0) > 0),
      );
      (one as Mutable<typeof one>).path = [flip(one.path?.[0] ?? ''), ...(one.path ?? []).slice(1)];
    },
  },
  'a tree head without a proof': {
    expect: /^I6 tree head \d+ of .* has no consistency proof/,
    plant: ({ views }) => {
      for (const view of views.values()) view.consistency = [];
    },
  },
  'a bundle proof of something else': {
    expect: /^the proof of event \d+ .* fails: bundle/,
    plant: ({ views }) => {
      const proof = [...views.values()]
        .flatMap((view) => view.proofs)
        .find(({ bundle }) => (bundle?.siblings.length ?? 0) > 0);
      proof?.bundle?.siblings.splice(0, 1, flip(proof.bundle.siblings[0] ?? ''));
    },
  },
  'an inclusion proof with another state': {
    expect: /^the proof of event \d+ .* fails: inclusion/,
    plant: ({ views }) => {
      const inclusion = first(views).proofs[0]?.inclusion;
      if (inclusion) inclusion.state_hash = flip(inclusion.state_hash);
    },
  },
};

const RECORDED = {
  'a single node': { make: recordNode, skip: false as const },
  'a cluster that lost a shard': { make: recordCluster, skip: missing },
};

for (const [what, { make, skip }] of Object.entries(RECORDED))
  describe(`planted in the history of ${what}`, { skip }, () => {
    before(async () => {
      data = await make();
    });

    for (const [name, { expect, plant }] of Object.entries(PLANTS)) {
      test(`the judge finds ${name} (seed ${SEED})`, () => {
        const own = copy();
        plant(own);
        const found = checkHistory(own.history, own.views, secp);
        assert.ok(
          found.some((violation) => expect.test(violation)),
          `found: ${found.join('\n') || 'nothing'}`,
        );
      });
    }

    test('the judge finds nothing where nothing was planted', async () => {
      const own = copy();
      assert.deepEqual(checkHistory(own.history, own.views, secp), []);
      for (const view of own.views.values()) assert.deepEqual(await checkReplay(view), []);
    });

    test('the replay finds a snapshot with another event, without its last one, or with another state', async () => {
      const view = [...views.values()][0] as View;
      const parts = takeApart(view.snapshot);
      const last = parts.items.findLastIndex((item) => item.kind === 'event');
      const without = putTogether({ ...parts, items: parts.items.filter((_, i) => i !== last) });
      assert.match((await checkReplay({ ...view, snapshot: without })).join('\n'), /has \d+ events, the log/);
      const other = parts.items.map((item, i) =>
        i === last && item.kind === 'event' ? { ...item, seqSig: random.bytes(64) } : item,
      );
      assert.match(
        (await checkReplay({ ...view, snapshot: putTogether({ ...parts, items: other }) })).join('\n'),
        /I2 event/,
      );
      const state = view.state && { ...view.state, state_hash: flip(view.state.state_hash) };
      assert.match((await checkReplay({ ...view, state })).join('\n'), /against another state/);
      const torn = Buffer.from(view.snapshot);
      torn[torn.length >> 1] = (torn[torn.length >> 1] as number) ^ 1;
      assert.notDeepEqual(await checkReplay({ ...view, snapshot: torn }), []);
    });

    test('a secret in an output is found in raw, hex and base64 form, wherever it stands', () => {
      const { versions } = JSON.parse(readFileSync(join(data, 'keys', 'master.json'), 'utf8')) as {
        versions: { secret: string }[];
      };
      const master = Buffer.from(versions[0]?.secret ?? '', 'hex');
      const view = [...views.values()][0] as View;
      const key = Buffer.from(secretOf(view));
      assert.deepEqual(checkSecrets(data, views.values(), ['nothing to see']), []);
      for (const secret of [master, key]) {
        for (const text of [
          secret.toString('hex'),
          ...['', 'a', 'ab'].map((pad) => Buffer.concat([Buffer.from(pad), secret]).toString('base64')),
        ]) {
          assert.equal(checkSecrets(data, views.values(), [`{"key":"${text}"}`]).length, 1);
        }
        assert.equal(checkSecrets(data, [{ ...view, snapshot: Buffer.concat([view.snapshot, secret]) }], []).length, 1);
      }
    });
  });
