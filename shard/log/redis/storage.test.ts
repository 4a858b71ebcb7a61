import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Redis } from 'ioredis';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { holds } from '../../../test/conformance/log/driver.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { inStep, missing, type RedisServer, type Replicated, startReplicated } from '../../../test/parts/redis.ts';
import { waitFor } from '../../../test/parts/wait-for.ts';
import type { ArchiveReader } from '../archive/archive-reader.ts';
import type { EnclaveLog, Epoch, StoredEvent } from '../enclave-log.ts';
import { openRedisLog } from './index.ts';
import { DUE, ERASURES, LOGS, laneKey } from './keys.ts';
import type { RedisLog } from './redis-log.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const owner = new Uint8Array(16).fill(1);

/** An enclave and its owner. */
interface Owned {
  readonly log: RedisLog;
  readonly epoch: Epoch;
  append(events: Parameters<SampleEnclave['batch']>[0], close?: boolean, deletes?: Uint8Array[]): Promise<string>;
}

describe('what the log keeps in Redis', { skip: missing }, () => {
  let set: Replicated;
  let server: RedisServer;
  let raw: Redis;
  const opened: EnclaveLog[] = [];
  before(async () => {
    set = await startReplicated(1);
    server = set.primary;
    raw = new Redis(server.port);
  });
  after(async () => {
    for (const log of opened) await log.close();
    raw.disconnect();
    await set.remove();
  });

  async function open(options: { archive?: ArchiveReader; rewriteWithinMs?: number } = {}): Promise<RedisLog> {
    const log = await openRedisLog({ settings: { at: server.address }, checkpointKey, ...options });
    opened.push(log);
    return log;
  }

  async function own(enclave: SampleEnclave, log?: RedisLog): Promise<Owned> {
    const used = log ?? (await open());
    const { epoch } = await used.open(enclave.key, owner);
    return {
      log: used,
      epoch,
      append: (events, close = false, deletes = []) => {
        const batch = enclave.batch(events, close);
        return appended(used, { key: enclave.key, epoch, ...batch, timestamp: enclave.timestamp, dueAt: 0, deletes });
      },
    };
  }

  const keysOf = async (enclave: SampleEnclave): Promise<string[]> =>
    ((await server.call('KEYS', `${laneKey(enclave.key)}*`)) as string[]).sort();

  test('indexes that are deleted, damaged or of another generation are built again; segments and blocks agree with the records', async () => {
    const enclave = new SampleEnclave('indexes');
    const first = await own(enclave);
    const total = 17 * 4096 + 100;
    const rare = new Uint8Array(32).fill(9);
    const inFlight: Promise<string>[] = [];
    for (let seq = 0; seq < total; seq += 500) {
      const size = Math.min(500, total - seq);
      inFlight.push(
        first.append(
          Array.from({ length: size }, (_, i) =>
            (seq + i) % 9001 === 17 ? { from: rare, tags: [['rare', 'yes']] } : {},
          ),
        ),
      );
      if (inFlight.length > 8) assert.equal(await inFlight.shift(), 'ok');
    }
    for (const result of inFlight) assert.equal(await result, 'ok');
    const expected = Array.from({ length: total }, (_, seq) => seq).filter((seq) => seq % 9001 === 17);
    const check = async (log: EnclaveLog): Promise<void> => {
      const { key, ids, hashes } = enclave;
      for (const seq of [0, 5, 4095, 4096, 65535, 65536, 69631, 69632, total - 1]) {
        assert.equal(await log.findId(key, ids[seq] as Uint8Array), seq);
        assert.equal(await log.findHash(key, hashes[seq] as Uint8Array), seq);
      }
      assert.equal(await log.findId(key, rare), -1);
      const plan = { from: 0, to: total, reverse: false, froms: [rare], tags: [{ name: 'rare', values: ['yes'] }] };
      assert.deepEqual(await candidates(log, enclave, plan), expected);
      assert.deepEqual(await candidates(log, enclave, { ...plan, reverse: true }), [...expected].reverse());
      // By several searches at once the open segment is read once.
      const many = await Promise.all(ids.slice(-40).map((id) => log.findId(key, id)));
      assert.deepEqual(
        many,
        ids.slice(-40).map((_, i) => total - 40 + i),
      );
    };
    const hashes = async (): Promise<string[]> => (await keysOf(enclave)).filter((key) => /:[ij]\d+$/.test(key));
    await waitFor('17 segments and a block', 20_000, async () => (await hashes()).length === 18);
    await check(first.log);
    await server.call('DEL', ...(await hashes()));
    const second = await open();
    await check(second);
    await waitFor('index hashes', 10_000, async () => (await hashes()).length > 10);
    for (const hash of await hashes())
      for (const [field, row] of Object.entries((await server.call('HGETALL', hash)) as Record<string, string>))
        await server.call('HSET', hash, field, `${row.slice(0, -1)}x`);
    await check(await open());
    const tail = enclave.fork();
    const { epoch } = await first.log.open(enclave.key, owner);
    const again = tail.batch([{ content: '"other"' }]);
    assert.equal(
      await appended(first.log, {
        key: tail.key,
        epoch,
        ...again,
        timestamp: tail.timestamp,
        dueAt: 0,
        deletes: [],
      }),
      'ok',
    );
    const cut = await first.log.replaceTail(tail.key, epoch, enclave.head, [], enclave.head, enclave.timestamp, 0);
    assert.equal(cut, 'ok');
    // This one has read the tail before it was replaced.
    assert.equal(await second.findId(tail.key, tail.ids[total] as Uint8Array), -1);
    await check(second);
  });

  test('no byte of an erased content is left in the files of the primary and its replica when the time is over', async () => {
    const log = await open({ rewriteWithinMs: 400 });
    const enclave = new SampleEnclave('erase files');
    const owned = await own(enclave, log);
    assert.equal(await owned.append([{ content: '"KEPT content"' }, { content: '"SECRET content"' }]), 'ok');
    const target = enclave.ids[1] as Uint8Array;
    assert.equal(await owned.append([{ type: 'Update', target, content: '"SECRET update"' }]), 'ok');
    const files = (word: string): number =>
      [server, ...set.replicas].reduce((sum, one) => sum + holding(one.folder, word), 0);
    assert.equal(files('SECRET'), 2);
    assert.equal(await owned.append([{ type: 'Delete', target }], false, [target]), 'ok');
    await log.erased();
    await waitFor('files without the content', 20_000, async () => files('SECRET') === 0);
    assert.equal(files('KEPT'), 2);
    assert.equal(await server.call('ZCARD', ERASURES), 0);
  });

  test('a Delete that was durable before a crash is carried out by whoever comes next', async () => {
    const enclave = new SampleEnclave('journal');
    const owned = await own(enclave);
    assert.equal(await owned.append([{ content: '"SECRET"' }, { content: '"other"' }]), 'ok');
    const target = enclave.ids[0] as Uint8Array;
    // The eraser of this process never gets to it.
    await owned.log.close();
    const lane = laneKey(enclave.key);
    await server.call('SADD', `${lane}:d`, Buffer.from(target));
    await server.call('ZADD', ERASURES, 1, prefix(enclave));
    const next = await open();
    await next.erased();
    assert.equal((await next.record(enclave.key, 0))?.content.length, 0);
    assert.equal(Buffer.from((await next.record(enclave.key, 1))?.content ?? []).toString(), '"other"');
    assert.equal(await server.call('EXISTS', `${lane}:d`), 0);
  });

  test('another process sees at once that a content was erased and that a tail was replaced', async () => {
    const enclave = new SampleEnclave('caches');
    const owned = await own(enclave);
    assert.equal(await owned.append([{ content: '"one"' }, { content: '"two"' }]), 'ok');
    const reader = await open();
    const at = async (seq: number): Promise<string> =>
      Buffer.from((await reader.record(enclave.key, seq))?.content ?? []).toString();
    assert.equal(await at(0), '"one"');
    const kept = enclave.head;
    const target = enclave.ids[0] as Uint8Array;
    const fork = enclave.fork();
    assert.equal(await owned.append([{ type: 'Delete', target }], false, [target]), 'ok');
    await owned.log.erased();
    assert.deepEqual(await candidates(reader, enclave, { from: 0, to: 9, reverse: false }), [0, 1, 2]);
    assert.equal(reader.recordNow(enclave.key, 0)?.content.length, 0);
    const { batch } = fork.batch([{ content: '"three"' }]);
    const { key } = enclave;
    assert.equal(await owned.log.replaceTail(key, owned.epoch, kept, [batch], fork.head, fork.timestamp, 0), 'ok');
    assert.equal(await reader.findId(key, fork.ids[2] as Uint8Array), 2);
    assert.equal(await at(2), '"three"');
  });

  test('a flipped bit in head, batch, content or closing is LogDamaged, and other enclaves go on', async () => {
    const enclave = new SampleEnclave('flips');
    const other = new SampleEnclave('flips, other');
    const owned = await own(enclave);
    const fine = await own(other);
    assert.equal(await owned.append([{ content: '"a"' }], true), 'ok');
    assert.equal(await fine.append([{ content: '"b"' }], true), 'ok');
    const lane = laneKey(enclave.key);
    const { key } = enclave;
    const reader = await open();
    const flip = async (hash: string, field: Buffer, at: number): Promise<() => Promise<unknown>> => {
      const before = (await raw.hgetBuffer(hash, field)) as Buffer;
      const damaged = Buffer.from(before);
      damaged[at] = (damaged[at] as number) ^ 16;
      await server.call('HSET', hash, field, damaged);
      return () => server.call('HSET', hash, field, before);
    };
    const calls: [string, Buffer, number, (log: RedisLog) => Promise<unknown>][] = [
      [lane, Buffer.from('h'), 40, (log) => log.head(key)],
      [lane, Buffer.from('h'), 40, (log) => log.open(key, owner)],
      [`${lane}:e0`, Buffer.from('s\0\0'), 200, (log) => log.read(key, 0, 1)],
      [`${lane}:e0`, Buffer.from('c\0\0'), 1, (log) => log.record(key, 0)],
      [lane, Buffer.from('k\0\0\0\0'), 80, (log) => log.closing(key, 0)],
    ];
    for (const [hash, field, at, call] of calls) {
      const repair = await flip(hash, field, at);
      await assert.rejects(call(reader), { name: 'LogDamaged' });
      assert.equal(Buffer.from((await reader.record(other.key, 0))?.content ?? []).toString(), '"b"');
      await repair();
    }
    await holds(reader, enclave);
    await server.call('HSET', lane, 'h', 'short');
    await assert.rejects(reader.head(key), { name: 'LogDamaged' });
    await assert.rejects(reader.open(key, owner), { name: 'LogDamaged' });
    const fresh = new SampleEnclave('flips');
    const { epoch, head } = await reader.open(key, owner, true);
    assert.deepEqual(head, fresh.head);
    assert.ok(epoch.counter > owned.epoch.counter);
    assert.equal(await reader.replaceTail(key, epoch, fresh.head, [], fresh.head, -1, 0), 'ok');
    assert.deepEqual(await keysOf(enclave), [lane]);
    assert.equal(await owned.append([{ content: '"zombie"' }]), 'fenced');
    const restored = await own(fresh, reader);
    assert.equal(await restored.append([{ content: '"again"' }], true), 'ok');
    await holds(reader, fresh);
  });

  test('what has been trimmed is read from the archive; lookups, proofs and appends go on', async () => {
    const enclave = new SampleEnclave('trim');
    const whole = await own(new SampleEnclave('trim'), await open());
    const events: StoredEvent[] = [];
    // One batch a bundle, whatever batches the log had, as an archive hands them out.
    const archive: ArchiveReader = {
      async *batches(_key, closing) {
        const first = Buffer.from(closing).readUInt32LE(16);
        const bundle = events.slice(first, first + Buffer.from(closing).readUInt32LE(24));
        yield {
          firstSeq: first,
          events: bundle.length,
          closings: 1,
          skeleton: new Uint8Array(Buffer.concat([...bundle.map(({ record }) => record), closing])),
          content: new Uint8Array(Buffer.concat(bundle.map(({ content }) => content))),
        };
      },
      record: async (_key, _closing, seq) => events[seq] as StoredEvent,
    };
    await whole.log.close();
    const log = await open({ archive });
    const owned = await own(enclave, log);
    for (let i = 0; i < 45; i++) {
      const events = Array.from({ length: 200 }, (_, n) => ({
        content: `"${i} ${n}"`,
        type: n === 7 ? 'Seven' : 'Note',
      }));
      assert.equal(await owned.append(events, true), 'ok');
      if (i % 9 === 0) assert.equal(await owned.append([{ content: '"one"' }]), 'ok');
      if (i % 9 === 0) assert.equal(await owned.append([], true), 'ok');
      if (i % 4 === 0) assert.equal(await owned.append([{ content: '"opens the next bundle"' }]), 'ok');
    }
    const { key } = enclave;
    const starts: number[] = [];
    for (let next = 0; next <= enclave.head.seq; ) {
      for (const batch of await log.read(key, next, 1 << 20)) {
        if (batch.events > 0) starts.push(batch.firstSeq);
        next += batch.events;
      }
    }
    for (let seq = 0; seq <= enclave.head.seq; seq++) {
      const { record, content } = (await log.record(key, seq)) as StoredEvent;
      events.push({ record: record.slice(), content: content.slice() });
    }
    assert.equal(await log.trim(key, owned.epoch, 5000), 0);
    assert.equal(await log.moveArchived(key, 0, enclave.head.bundles), 'ok');
    const before = Number(await server.call('MEMORY', 'USAGE', `${laneKey(key)}:e0`, 'SAMPLES', 0));
    // In the middle of batches, and between the two batches of one bundle.
    const opener = enclave.contents.indexOf('"opens the next bundle"', 1000);
    for (const upto of [150, 250, opener + 1, 4300, 8995]) {
      const left = Math.max(...starts.filter((start) => start <= upto));
      assert.equal(await log.trim(key, owned.epoch, upto), left);
      assert.equal(await log.trim(key, owned.epoch, 100), left);
      await holds(await open({ archive }), enclave, 100_000);
    }
    assert.ok(before > 1_000_000);
    assert.equal(await server.call('EXISTS', `${laneKey(key)}:e0`, `${laneKey(key)}:e1`), 0);
    // The open bundle stays, whatever is asked for.
    assert.equal(await log.trim(key, owned.epoch, enclave.head.seq + 1), enclave.head.seq);
    assert.equal(await owned.append([{ content: '"behind"' }], true), 'ok');
    const reader = await open({ archive });
    await holds(reader, enclave, 100_000);
    for (const seq of [0, 200, 4095, 4096, opener, opener + 1, enclave.head.seq]) {
      assert.equal(await reader.findId(key, enclave.ids[seq] as Uint8Array), seq);
      const stored = await reader.record(key, seq);
      assert.equal(Buffer.from(stored?.content ?? []).toString(), enclave.contents[seq]);
      const closing = (await reader.closingOf(key, seq)) as Buffer;
      assert.ok(closing.readUInt32LE(16) <= seq && seq < closing.readUInt32LE(16) + closing.readUInt32LE(24));
    }
    assert.equal(
      (await candidates(reader, enclave, { from: 0, to: 9999, reverse: true, types: ['Seven'] })).length,
      45,
    );
    assert.equal(await reader.seqAtTime(key, enclave.timestamp), enclave.head.seq);
    await assert.rejects(log.trim(key, { ...owned.epoch, counter: 0 }, 9999), { name: 'LogUnavailable' });
    await assert.rejects((await open()).record(key, 0), { name: 'LogDamaged' });
  });

  test('a checkpoint that is forged or torn is passed over for the older one, then for none', async () => {
    const enclave = new SampleEnclave('checkpoints');
    const owned = await own(enclave);
    const { key } = enclave;
    for (const [i, base] of ['older', 'newer'].entries()) {
      assert.equal(await owned.append([{ content: '"x"' }], true), 'ok');
      const { head, timestamp } = enclave;
      const [recentFrom, recent] = i === 0 ? [0, 'r0'] : [1, 'r1'];
      await owned.log.checkpoint(key, owned.epoch, {
        head,
        base: Buffer.from(base),
        recent: Buffer.from(recent),
        recentFrom,
        recentMaxExp: 1e9,
        timestamp,
      });
    }
    const found = async (): Promise<string | null> => {
      const { checkpoint } = await (await open()).open(key, owner);
      return checkpoint === null ? null : Buffer.from(checkpoint.base).toString();
    };
    const hash = `${laneKey(key)}:p`;
    const field = (seq: number, kind: number): Buffer => Buffer.from([0, 0, 0, 0, 0, 0, 0, seq, kind]);
    assert.equal(await found(), 'newer');
    await server.call('HSET', hash, field(1, 2), 'forged');
    assert.equal(await found(), 'older');
    await server.call('HDEL', hash, field(0, 1));
    assert.equal(await found(), null);
  });

  test('a script that the server has forgotten makes the append unknown, and the log goes on by itself', async () => {
    const enclave = new SampleEnclave('noscript');
    const owned = await own(enclave);
    assert.equal(await owned.append([{ content: '"a"' }]), 'ok');
    await server.call('SCRIPT', 'FLUSH');
    const before = enclave.fork();
    assert.equal(await owned.append([{ content: '"lost"' }]), 'unknown');
    await waitFor('a new connection', 5000, async () => (await owned.log.head(before.key).catch(() => null)) !== null);
    const again = await own(before, owned.log);
    assert.equal(await again.append([{ content: '"b"' }]), 'ok');
    await holds(owned.log, before);
  });

  test('an append whose replica is frozen is unknown, and so is what waits behind it; it lands all the same', async () => {
    const enclave = new SampleEnclave('frozen');
    const owned = await own(enclave);
    await inStep(server, 1);
    const [replica] = set.replicas as [RedisServer];
    const other = await open();
    replica.freeze();
    try {
      await assert.rejects(other.open(new SampleEnclave('frozen, other').key, owner), { name: 'LogUnavailable' });
      const results = [owned.append([{ content: '"a"' }]), owned.append([{ content: '"b"' }])];
      assert.deepEqual(await Promise.all(results), ['unknown', 'unknown']);
    } finally {
      replica.thaw();
    }
    await inStep(server, 1);
    const log = await open();
    const opened = await log.open(enclave.key, owner);
    assert.ok(opened.head.seq >= 0);
  });

  test('lists and due times of the server hold what the heads say', async () => {
    assert.equal(await server.call('ZCARD', DUE), 0);
    assert.ok(Number(await server.call('ZCARD', LOGS)) > 5);
  });
});

async function candidates(
  log: EnclaveLog,
  enclave: SampleEnclave,
  plan: Parameters<EnclaveLog['candidates']>[1],
): Promise<number[]> {
  const found: number[] = [];
  for (const step of log.candidates(enclave.key, plan)) {
    if (typeof step !== 'number') await step;
    else if (step >= 0) found.push(step);
  }
  return found;
}

function prefix(enclave: SampleEnclave): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.set(enclave.key.enclave, 0);
  bytes.writeUInt32BE(enclave.key.lane, 32);
  return bytes;
}

/** 1 if a file in the folder holds these bytes. */
function holding(folder: string, bytes: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(bytes)) ? 1 : 0;
}
