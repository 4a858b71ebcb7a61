import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { encodeProof, LINK_VERSIONS } from '../../cluster/link/handshake.ts';
import { ANSWER_CREDIT, CLOSE } from '../../cluster/link/records.ts';
import { errorNumber } from '../../protocol/errors.ts';
import type { Flight } from '../../router/flight.ts';
import type { Traced } from '../../tracing/traced.ts';
import type { Tracing } from '../../tracing/tracing.ts';
import { CutLink } from '../parts/cut-link.ts';
import { waitFor } from '../parts/wait-for.ts';
import { localTracing } from '../tracing/local-tracing.ts';
import { LinkPair, SECRET, TOPOLOGY } from './link-pair.ts';

const UNAVAILABLE = errorNumber('unavailable');

/** A traced request on its way. */
function traced(pair: LinkPair, tracing: Tracing): { flight: Flight; attempt: Traced } {
  const caller = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1, state: 'a=b' };
  const attempt = tracing.joined('attempt', caller, {});
  return { flight: pair.send('body', { attempt }).flight, attempt };
}

describe('a link', () => {
  test('carries many calls and their answers, each to its own', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const flights = Array.from({ length: 50 }, (_, i) => pair.send(`body ${i}`).flight);
    await pair.arrived(50);
    for (const [i, call] of [...pair.calls.entries()].reverse()) {
      assert.equal(Buffer.from(call.body).toString(), `body ${i}`);
      call.answer(i % 2, Buffer.from(`answer ${i}`));
    }
    for (const [i, flight] of flights.entries())
      assert.deepEqual(await pair.outcome(flight), [['answered', i % 2, `answer ${i}`]]);
    assert.equal(pair.link.underWay, 0);
  });

  test('is refused without the secret, by either side, and to another shard', async () => {
    const other = Buffer.alloc(32, 6);
    await using thief = await LinkPair.open({ router: { secret: other } });
    assert.match(await thief.refused(), /the link secret is another one/);
    await using wrong = await LinkPair.open({ shard: { shard: 4 } });
    assert.match(await wrong.refused(), /this is shard 4/);
    for (const pair of [thief, wrong]) {
      assert.equal(pair.link.open, false);
      assert.equal(pair.server.routers, 0);
      assert.ok(pair.server.refused > 0);
      assert.equal(pair.send('x').sent, 'down');
    }
  });

  test('to an address that is none is not built, and the router goes on', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    pair.link.meet('no address', 'another process');
    await waitFor('a refusal', 5000, () => pair.downs.some((why) => /no address/.test(why)));
    pair.link.meet(`ws://127.0.0.1:${pair.server.port}`, 'process');
    await pair.up();
  });

  test('works between neighbouring versions, and not between those that share none', async () => {
    const { max } = LINK_VERSIONS;
    await using newer = await LinkPair.open({ router: { versions: { min: 1, max: max + 1 } } });
    await newer.up();
    await using older = await LinkPair.open({ shard: { versions: { min: 1, max: max + 1 } } });
    await older.up();
    await using apart = await LinkPair.open({ router: { versions: { min: max + 1, max: max + 1 } } });
    assert.match(await apart.refused(), /no common version/);
  });

  describe('carries the trace of a request', () => {
    const OLD = { min: 1, max: 1 };
    const local = localTracing();
    after(() => local.tracing.close());

    test('to a shard that knows of it, where the call and what it logs belong to it', async () => {
      await using pair = await LinkPair.open({ tracing: local.tracing });
      await pair.up();
      const { flight, attempt } = traced(pair, local.tracing);
      const call = await pair.arrived();
      assert.equal(Buffer.from(call.body).toString(), 'body');
      assert.equal(call.trace?.context.traceId, attempt.context.traceId);
      call.fail(new Error('disk'));
      await pair.outcome(flight);
      assert.deepEqual(pair.failures, [[new Error('disk'), call.trace]]);
      const span = local.finished().find(({ name }) => name === 'enc.shard/post');
      assert.equal(span?.parentSpanContext?.spanId, attempt.context.spanId);
      assert.equal(span?.attributes['error.type'], 'internal');
    });

    test('not to a shard of before, nor from a router of before: the call is as it ever was', async () => {
      for (const older of [{ shard: { versions: OLD } }, { router: { versions: OLD } }]) {
        await using pair = await LinkPair.open({ tracing: local.tracing, ...older });
        await pair.up();
        const { flight } = traced(pair, local.tracing);
        const call = await pair.arrived();
        assert.equal(Buffer.from(call.body).toString(), 'body');
        assert.equal(call.trace, null);
        call.answer(0, Buffer.from('ok'));
        assert.deepEqual(await pair.outcome(flight), [['answered', 0, 'ok']]);
      }
    });

    test('and not where nothing is traced', async () => {
      await using pair = await LinkPair.open();
      await pair.up();
      traced(pair, local.tracing);
      const call = await pair.arrived();
      assert.equal(Buffer.from(call.body).toString(), 'body');
      assert.equal(call.trace, null);
    });
  });

  test('ends with whoever does not speak it, and nobody else', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const closed = (first: (socket: WebSocket, hello: Buffer) => void): Promise<number> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${pair.server.port}`);
        socket.on('error', () => {});
        socket.once('message', (hello: Buffer) => first(socket, hello));
        socket.once('close', resolve);
      });
    assert.equal(await closed((socket) => socket.send('what is this')), CLOSE.malformed);
    assert.equal(await closed((socket) => socket.send(Buffer.alloc(75))), CLOSE.malformed);
    assert.equal(await closed(() => {}), CLOSE.late);
    const proven = (socket: WebSocket, hello: Buffer): void =>
      socket.send(encodeProof(SECRET, hello, { versions: { min: 1, max: 1 }, shard: 0, nonce: Buffer.alloc(32, 1) }));
    const garbage = (bytes: Buffer) => (socket: WebSocket, hello: Buffer) => {
      proven(socket, hello);
      socket.once('message', () => socket.send(bytes));
    };
    for (const bytes of [Buffer.alloc(3), Buffer.alloc(17), Buffer.alloc(200, 255)])
      assert.equal(await closed(garbage(bytes)), CLOSE.malformed);
    const { flight } = pair.send('still here');
    (await pair.arrived()).answer(0, Buffer.from('yes'));
    assert.deepEqual(await pair.outcome(flight), [['answered', 0, 'yes']]);
  });

  test('takes no more than its window: what does not fit is refused at the router, and fits again when answers come', async () => {
    await using pair = await LinkPair.open({ window: { maxRequests: 3, maxBytes: 1000 } });
    await pair.up();
    assert.deepEqual(
      ['a', 'b', 'c', 'd'].map((body) => pair.send(body).sent),
      ['sent', 'sent', 'sent', 'full'],
    );
    (await pair.arrived(3)).answer(0, Buffer.from('1'));
    await waitFor('room', 5000, () => pair.link.underWay === 2);
    assert.equal(pair.send('x'.repeat(999)).sent, 'full');
    assert.equal(pair.send('x'.repeat(900)).sent, 'sent');
    assert.deepEqual(pair.downs, []);
  });

  test('answers nothing late: a request past its deadline expires here and is cancelled there', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const { flight } = pair.send('slow', { ms: 30 });
    const call = await pair.arrived();
    assert.deepEqual(await pair.outcome(flight), [['expired']]);
    await waitFor('the cancellation', 5000, () => call.gone);
    call.answer(0, Buffer.from('too late'));
    const next = pair.send('next').flight;
    (await pair.arrived(2)).answer(0, Buffer.from('in time'));
    assert.deepEqual(await pair.outcome(next), [['answered', 0, 'in time']]);
    assert.equal(pair.happened.get(flight)?.length, 1);
  });

  test('a shard that was not run for longer than the caller waits does not begin the call', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const first = pair.send('quick').flight; // from this the link knows how long the way takes
    (await pair.arrived()).answer(0, Buffer.from('ok'));
    await pair.outcome(first);
    const { flight } = pair.send('late', { ms: 40 });
    await new Promise(setImmediate); // the frame is on its way, and then nobody runs
    const until = performance.now() + 120;
    while (performance.now() < until);
    const [[name, code]] = (await pair.outcome(flight)) as [[string, unknown]];
    assert.ok(name === 'expired' || (name === 'answered' && code === UNAVAILABLE), name);
    pair.send('after');
    assert.equal(Buffer.from((await pair.arrived(2)).body).toString(), 'after');
  });

  test('an older topology is refused, and the newer told', async () => {
    const older = { ...TOPOLOGY, version: 2 };
    await using pair = await LinkPair.open({ topology: { router: older } });
    await pair.up();
    assert.deepEqual(await pair.outcome(pair.send('x').flight), [['stale']]);
    assert.deepEqual(pair.adopted, TOPOLOGY);
  });

  test('a newer topology is told to the shard before the first request under it', async () => {
    const newer = { version: 9, shards: 4, before: 2 };
    await using pair = await LinkPair.open({ topology: { router: newer } });
    await pair.up();
    pair.send('x');
    await pair.arrived();
    assert.deepEqual(pair.adopted, newer);
  });

  test('a streamed answer goes no further than its credit', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const { flight } = pair.send('stream');
    const call = await pair.arrived();
    call.begin('json', new Uint8Array(32));
    assert.equal(call.write(Buffer.alloc(ANSWER_CREDIT - 1)), true);
    assert.equal(call.write(Buffer.alloc(1)), false);
    let drained = false;
    void call.drained().then(() => {
      drained = true;
    });
    await pair.outcome(flight, 3);
    assert.equal(drained, false);
    pair.link.grant(flight, 1);
    await waitFor('credit', 5000, () => drained);
    call.end(Buffer.from('end'));
    assert.deepEqual(await pair.outcome(flight, 4), [
      ['began', 0],
      ['data', ANSWER_CREDIT - 1],
      ['data', 1],
      ['ended', 3],
    ]);
  });

  test('a streamed answer that fails is broken off, one that was not begun becomes an error', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const begun = pair.send('one').flight;
    const call = await pair.arrived();
    call.begin('json', new Uint8Array(32));
    call.fail(new Error('disk'));
    assert.deepEqual(await pair.outcome(begun, 2), [['began', 0], ['aborted']]);
    const whole = pair.send('two').flight;
    (await pair.arrived(2)).fail(new Error('disk'));
    assert.deepEqual((await pair.outcome(whole))[0]?.slice(0, 2), ['answered', errorNumber('internal')]);
    assert.equal(pair.failures.length, 2);
  });

  test('what is under way when a link is given up is lost, at both ends, and it rests until the shard is met again', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const { flight } = pair.send('x');
    const call = await pair.arrived();
    pair.link.rest('its heartbeat is gone');
    assert.deepEqual(await pair.outcome(flight), [['lost', 0]]);
    await waitFor('the other end', 5000, () => call.gone);
    assert.equal(pair.server.routers, 0);
    pair.meet();
    await pair.up();
    const again = pair.send('y').flight;
    (await pair.arrived(2)).answer(0, Buffer.from('ok'));
    assert.deepEqual(await pair.outcome(again), [['answered', 0, 'ok']]);
  });

  test('behind a cut nobody is told: a silent shard is given up, and counts as unreached since it was last heard', async () => {
    let cut: CutLink | null = null;
    const via = async (port: number): Promise<number> => {
      cut = await CutLink.listen(port);
      return cut.port;
    };
    await using pair = await LinkPair.open({ via });
    try {
      await pair.up();
      const { flight } = pair.send('{}');
      (cut as CutLink | null)?.cut();
      assert.deepEqual(await pair.outcome(flight), [['lost', 0]]);
      assert.equal(pair.downs[0], 'silent');
      assert.ok(pair.link.unreachable(performance.now()));
    } finally {
      await (cut as CutLink | null)?.close();
    }
  });

  test('a shard that is gone refuses connections: after the second it counts as unreached, until it is met anew', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const gone = performance.now();
    await pair.server.close();
    await waitFor('the first refusal', 2000, () => pair.downs.some((why) => /ECONNREFUSED/.test(why)));
    assert.equal(pair.downs.filter((why) => /ECONNREFUSED/.test(why)).length, 1);
    assert.ok(!pair.link.unreachable(performance.now()));
    await waitFor('the second', 2000, () => pair.downs.filter((why) => /ECONNREFUSED/.test(why)).length === 2);
    assert.ok(pair.link.unreachable(gone));
    pair.meet('another process');
    assert.ok(!pair.link.unreachable(performance.now()));
  });

  test('a shard that drains says so, and answers what it has', async () => {
    await using pair = await LinkPair.open();
    await pair.up();
    const { flight } = pair.send('x');
    const call = await pair.arrived();
    pair.server.leave();
    await waitFor('the news', 5000, () => pair.link.leaving);
    const quiet = pair.server.quiet(5000);
    call.answer(0, Buffer.from('ok'));
    await quiet;
    assert.deepEqual(await pair.outcome(flight), [['answered', 0, 'ok']]);
  });
});
