import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNode } from '../../bench/bench-node.ts';
import { LocalCluster } from '../../cluster/local/local-cluster.ts';
import type { Commit } from '../../protocol/commit.ts';
import { openTracing } from '../../tracing/open-tracing.ts';
import { manifest, owner, receipted } from '../api/enclave.ts';
import { exchange, type RawAnswer } from '../api/http.ts';
import { founding, json, sign } from '../api/people.ts';
import { TestCluster } from '../cluster/test-cluster.ts';
import { OtlpReceiver, otlpMissing, type SeenSpan } from '../parts/otlp.ts';
import { missing as redisMissing } from '../parts/redis.ts';
import { tracingOptions } from './tracing-options.ts';

const STEPS = ['stage', 'sign', 'seal', 'append', 'guard', 'release'];
const BEFORE = ['inspect', 'verify', 'queue'];
/** Stands in every content: no span may hold it. */
const SECRET = 'only for readers';

interface Caller {
  readonly trace: string;
  readonly span: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Somebody who traces already, and says whether this call is sampled. */
function caller(sampled = true): Caller {
  const [trace, span] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  const traceparent = `00-${trace}-${span}-0${sampled ? 1 : 0}`;
  return { trace, span, headers: { traceparent, tracestate: 'vendor=value' } };
}

const post = (url: string, body: string, headers: Caller['headers'] = {}): Promise<RawAnswer> =>
  exchange(url, { method: 'POST', path: '/', body, headers });
const note = (enclave: string): Commit =>
  sign(owner, enclave, 'note', { text: `${SECRET} ${randomBytes(8).toString('hex')}` }, { exp: Date.now() + 60_000 });

async function found(url: string): Promise<string> {
  const commit = founding(owner, manifest(), { exp: Date.now() + 60_000 });
  receipted(await post(url, json(commit)), commit);
  return commit.enclave;
}

const named = (spans: readonly SeenSpan[], name: string): SeenSpan[] => spans.filter((span) => span.name === name);
function one(spans: readonly SeenSpan[], name: string, kind: string): SeenSpan {
  const [span, ...more] = spans.filter((each) => each.name === name && each.kind === kind);
  assert.ok(span && more.length === 0, `one span ${name} ${kind}`);
  return span;
}
/** The last spans that a commit has. */
const whole = (spans: readonly SeenSpan[]): boolean =>
  [...BEFORE, 'batch', ...STEPS].every((name) => named(spans, name).length > 0) && named(spans, 'POST /').length > 0;

/** Where a commit is carried out: what came before its batch lies under `call`, which says what became of it. */
function assertCommit(spans: readonly SeenSpan[], call: SeenSpan, receipt: { id: string; seq: number }): SeenSpan {
  for (const name of BEFORE) assert.equal(one(spans, name, 'INTERNAL').parent, call.id, name);
  const batch = one(spans, 'batch', 'INTERNAL');
  assert.equal(batch.parent, call.id, 'the first traced commit of a batch is its parent');
  assert.deepEqual(batch.links, [{ trace: call.trace, id: call.id }]);
  assert.deepEqual(call.links, [{ trace: batch.trace, id: batch.id }]);
  for (const name of STEPS) assert.equal(one(spans, name, 'INTERNAL').parent, batch.id, name);
  // One behind the other, and none before the commit was there.
  const steps = [...BEFORE, ...STEPS].map((name) => one(spans, name, 'INTERNAL'));
  for (const [i, { name, from, to }] of steps.entries()) {
    assert.ok(from <= to, name);
    const next = steps[i + 1];
    if (next && next.name !== 'verify') assert.ok(to <= next.from, `${name} before ${next.name}`);
  }
  assert.equal(call.attributes['enc.event.id'], receipt.id);
  assert.equal(call.attributes['enc.event.seq'], String(receipt.seq));
  assert.equal(batch.attributes['enc.batch.accepted'], '1');
  assert.equal(batch.attributes['enc.batch.first_seq'], String(receipt.seq));
  return batch;
}

/** What the caller is told leads to the span of its call. */
function assertAnswered(answer: RawAnswer, { trace, span }: Caller, call: SeenSpan): void {
  assert.equal(answer.headers['traceresponse'], `00-${trace}-${call.id}-01`);
  assert.deepEqual([call.parent, call.state, call.kind], [span, 'vendor=value', 'SERVER']);
  assert.equal(call.attributes['http.response.status_code'], '200');
  assert.equal(call.attributes['http.route'], '/');
}

describe('traces, as a real receiver gets them', { skip: otlpMissing }, () => {
  let receiver: OtlpReceiver;
  before(async () => {
    receiver = await OtlpReceiver.start();
  });
  after(() => receiver?.[Symbol.asyncDispose]());

  test('a commit on a single node, from the call to its release', async () => {
    const node = await startNode({ ...receiver.env, OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=te%20st' });
    try {
      const enclave = await found(node.url);
      const [who, commit] = [caller(), note(enclave)];
      const answer = await post(node.url, json(commit), who.headers);
      const spans = await receiver.spans(who.trace, whole);
      const call = one(spans, 'POST /', 'SERVER');
      assertAnswered(answer, who, call);
      assertCommit(spans, call, receipted(answer, commit));
      assert.equal(call.service, 'enc-node');
      assert.equal(call.resource['deployment.environment.name'], 'te st');
      assert.equal(call.attributes['enc.enclave'], enclave);

      const unsampled = await post(node.url, json(note(enclave)), caller(false).headers);
      assert.equal(unsampled.headers['traceresponse'], undefined);
      await refusal(node.url, receiver);
      await batches(node.url, receiver);
      assert.doesNotMatch(receiver.printed, new RegExp(SECRET));
      assert.ok(!receiver.printed.includes(commit.sig), 'no signature');
    } finally {
      await node.stop();
    }
  });

  test('what waits when a node ends is sent before it is gone', async () => {
    const node = await startNode({ ...receiver.env, OTEL_BSP_SCHEDULE_DELAY: '600000' });
    let who: Caller;
    try {
      const enclave = await found(node.url);
      who = caller();
      await post(node.url, json(note(enclave)), who.headers);
    } finally {
      await node.stop();
    }
    await receiver.spans(who.trace, whole);
  });

  describe('of a cluster of processes', { skip: redisMissing }, () => {
    const data = mkdtempSync(join(tmpdir(), 'enc-traces-'));
    let cluster: LocalCluster;
    before(async () => {
      const options = { shards: 2, host: '127.0.0.1', port: 0, data, redis: null, guard: null };
      const env = { ...process.env, ...receiver.env, ENC_LOG_LEVEL: 'fatal', ENC_CRYPTO_WORKERS: '1' };
      ({ cluster } = await LocalCluster.start({ ...options, env }, () => {}));
      process.once('exit', () => cluster.kill());
    });
    after(async () => {
      await cluster?.stop();
      rmSync(data, { recursive: true, force: true });
    });

    test('a commit goes through router, shard, log and guard in one trace', async () => {
      const enclave = await found(cluster.url());
      const [who, commit] = [caller(), note(enclave)];
      const answer = await post(cluster.url(), json(commit), who.headers);
      const spans = await receiver.spans(who.trace, whole);
      const call = one(spans, 'POST /', 'SERVER');
      assertAnswered(answer, who, call);
      const attempt = one(spans, 'enc.shard/post', 'CLIENT');
      const served = one(spans, 'enc.shard/post', 'SERVER');
      assert.equal(attempt.parent, call.id);
      assert.equal(served.parent, attempt.id);
      assert.equal(served.state, 'vendor=value');
      assert.deepEqual([call.service, attempt.service, served.service], ['enc-router', 'enc-router', 'enc-shard']);
      assert.equal(served.resource['enc.shard'], attempt.attributes['enc.shard']);
      assert.equal(attempt.attributes['enc.outcome'], 'answered');
      assertCommit(spans, served, receipted(answer, commit));
      assert.doesNotMatch(receiver.printed, new RegExp(SECRET));
    });

    test('the commits of an array are attempts of their own, the first sixteen of them', async () => {
      const enclave = await found(cluster.url());
      const who = caller();
      const answer = await post(cluster.url(), array(enclave, 20), who.headers);
      assert.equal(answer.body.split('"type":"Receipt"').length - 1, 20);
      const spans = await receiver.spans(
        who.trace,
        (seen) => whole(seen) && named(seen, 'enc.shard/post').length >= 32 && linked(seen),
      );
      const served = named(spans, 'enc.shard/post').filter(({ kind }) => kind === 'SERVER');
      assert.equal(served.length, 16);
      assert.equal(one(spans, 'POST /', 'SERVER').attributes['enc.array.commits'], '20');
    });
  });

  test('a router that is sent elsewhere tells of each attempt', async () => {
    const options = tracingOptions({ url: `${receiver.url}/v1/traces` });
    const tracing = (service: string, shard: number | null) =>
      openTracing(options, { service, version: '0', shard, headers: {}, warn: () => {} });
    await using cluster = await TestCluster.start({ shards: 2, tracing });
    const [enclave, other] = [await found(cluster.url), await found(cluster.url)];
    const [who, commit] = [caller(), sign(owner, enclave, 'note', { enclave: other }, { exp: Date.now() + 60_000 })];
    // A router takes the first `enclave` in a body for that of the commit; the shard knows better.
    const { content, ...rest } = JSON.parse(json(commit)) as { content: unknown };
    receipted(await post(cluster.url, JSON.stringify({ content, ...rest }), who.headers), commit);
    const spans = await receiver.spans(who.trace, whole);
    const call = one(spans, 'POST /', 'SERVER');
    const attempts = named(spans, 'enc.shard/post').filter(({ kind }) => kind === 'CLIENT');
    assert.deepEqual(attempts.map(({ attributes }) => attributes['enc.outcome']).sort(), ['answered', 'misrouted']);
    for (const attempt of attempts) assert.equal(attempt.parent, call.id);
    assert.deepEqual(
      call.events.map(({ name, attributes }) => [name, attributes['enc.reason']]),
      [['retry', 'misrouted']],
    );
  });
});

/** A refused commit is not an error of the node, and says why it was refused. */
async function refusal(url: string, receiver: OtlpReceiver): Promise<void> {
  const who = caller();
  await post(url, '{"type":', who.headers);
  const refused = one(await receiver.spans(who.trace, (seen) => named(seen, 'POST /').length > 0), 'POST /', 'SERVER');
  assert.deepEqual(
    [refused.status, refused.attributes['error.type'], refused.attributes['http.response.status_code']],
    ['UNSET', 'invalid_json', '400'],
  );
}

/** A batch of many traced commits is one span, linked with all of them. */
async function batches(url: string, receiver: OtlpReceiver): Promise<void> {
  const who = caller();
  const enclave = await found(url);
  await post(url, array(enclave, 20), who.headers);
  const spans = await receiver.spans(who.trace, (seen) => whole(seen) && named(seen, 'commit').length === 16);
  assert.ok(linked(spans));
  const [first] = named(spans, 'batch');
  assert.ok((first as SeenSpan).links.length > 1, 'commits that come together are one batch');
  const call = one(spans, 'POST /', 'SERVER');
  for (const commit of named(spans, 'commit')) assert.equal(commit.parent, call.id);
}

const array = (enclave: string, count: number): string =>
  `[${Array.from({ length: count }, () => json(note(enclave))).join(',')}]`;

/** Every batch is linked with its commits and they with it, and there are sixteen of them in all. */
function linked(spans: readonly SeenSpan[]): boolean {
  const pairs = (of: readonly SeenSpan[], way: (span: SeenSpan, link: string) => string): string[] =>
    of.flatMap((span) => span.links.map(({ id }) => way(span, id))).sort();
  const down = pairs(named(spans, 'batch'), ({ id }, commit) => `${id} ${commit}`);
  const up = pairs(
    spans.filter(({ name }) => name !== 'batch'),
    ({ id }, batch) => `${batch} ${id}`,
  );
  return down.length === 16 && String(down) === String(up);
}
