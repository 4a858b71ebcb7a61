import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { encode } from 'cborg';
import { NodeLied } from '../../client/errors.ts';
import { checkSnapshot, type SnapshotReport } from '../../client/snapshot.ts';
import type { EncEvent } from '../../client/types.ts';
import { person } from '../../kernel/reference/memory-node.test-util.ts';
import { contentHash } from '../../protocol/hash.ts';
import { toHex } from '../../protocol/hex.ts';
import { canonical, toJson } from '../../protocol/json.ts';
import { readClosingRecord } from '../../protocol/records.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { World } from './world.ts';

/** Snapshots with one thing changed, whole again in all else: only their content gives them away. */
const secp = openSecp256k1();
const world = await new World(secp).fill({ nonce: 'snapshot' });
const items = await snapshotItems();
let refused = 0;

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** Header, events and closings of the world's enclave, as PROTOCOL §10 writes them; the end is made by `file`. */
async function snapshotItems(): Promise<unknown[]> {
  const events: EncEvent[] = [];
  for await (const event of world.room().pull()) events.push(event);
  const closings =
    world.node.enclaves.get(world.enclave)?.log.closings.map((record) => readClosingRecord(record)) ?? [];
  const all: unknown[] = [
    {
      format: 'enc-snapshot',
      v: 1,
      enclave: hex(world.enclave),
      sequencer: hex(world.node.sequencer.id),
      head: 9,
      bundles: 2,
      created: 1,
    },
  ];
  for (const { timestamp, sequencer, seq, seq_sig, id: _id, status: _status, ...commit } of events) {
    all.push([0, Buffer.from(canonical(toJson(commit))), timestamp, seq, hex(sequencer), hex(seq_sig)]);
    const closing = closings.find(({ firstSeq, size }) => firstSeq + size - 1 === seq);
    if (closing) all.push([1, closing.index, closing.firstSeq, closing.size, closing.t]);
  }
  return all;
}

/** The file of these items, with a sum that is right. */
function file(parts: readonly unknown[], sth: unknown = world.newer): Uint8Array {
  const body = Buffer.concat(parts.map((part) => encode(part)));
  const sum = createHash('sha256').update(body).digest();
  return Buffer.concat([body, encode([2, sth, sum])]);
}

async function check(bytes: Uint8Array, chunk = 1000, sequencer?: string): Promise<SnapshotReport> {
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
  }
  const checked = checkSnapshot(source(), { enclave: world.enclave, sequencer, secp });
  let size = 0;
  for (;;) {
    const { done, value } = await checked.next();
    if (done) {
      assert.equal(size, bytes.length, 'bytes were lost on the way');
      return value;
    }
    size += value.length;
  }
}

async function refuse(bytes: Uint8Array, why: string): Promise<void> {
  await assert.rejects(check(bytes), NodeLied, why);
  refused++;
}

test('an honest snapshot passes, in pieces of any size', async () => {
  for (const chunk of [1, 7, 1000, 1e6]) {
    const report = await check(file(items), chunk, world.node.sequencer.id);
    assert.deepEqual([report.events, report.bundles, report.head, report.named], [10, 2, 9, true]);
  }
});

test('another sequencer than the one expected is refused', async () => {
  await assert.rejects(check(file(items), 1000, person('thief').id), NodeLied);
});

test('items that are missing, repeated or exchanged are refused', async () => {
  for (let i = 0; i < items.length; i++) {
    await refuse(file(items.toSpliced(i, 1)), `without item ${i}`);
    await refuse(file(items.toSpliced(i, 0, items[i])), `item ${i} twice`);
    if (i > 0)
      await refuse(file(items.with(i, items[i - 1]).with(i - 1, items[i])), `items ${i - 1} and ${i} exchanged`);
  }
});

test('every field of every item counts', async () => {
  for (const [i, item] of items.entries()) {
    if (!Array.isArray(item)) continue;
    for (const [k, field] of item.entries()) {
      // The time of a closing counts only in the tree head, which is signed over the last one's.
      if (item[0] === 1 && k === 4) continue;
      const changed =
        field instanceof Uint8Array
          ? field.with(field.length >> 1, (field[field.length >> 1] as number) ^ 1)
          : field + 1;
      await refuse(file(items.with(i, item.with(k, changed))), `field ${k} of item ${i}`);
    }
  }
  const header = items[0] as Record<string, unknown>;
  for (const key of ['format', 'v', 'enclave', 'sequencer', 'head', 'bundles']) {
    const value = header[key];
    const changed =
      value instanceof Uint8Array
        ? value.with(0, (value[0] as number) ^ 1)
        : typeof value === 'number'
          ? value + 1
          : 'other';
    await refuse(file(items.with(0, { ...header, [key]: changed })), `header ${key}`);
  }
});

test('an Update without its content is refused while nothing deletes what it updated', async () => {
  const at = items.findIndex((item) => Array.isArray(item) && String(item[1]).includes('"type":"Update"'));
  const item = items[at] as unknown[];
  const commit = JSON.parse(String(item[1])) as { content: { target: string } };
  const content_hash = toHex(contentHash(toJson(commit.content)));
  const erased = Buffer.from(canonical(toJson({ ...commit, content: null, content_hash })));
  await refuse(file(items.with(at, [0, erased, ...item.slice(2), hex(commit.content.target)])), 'withheld Update');
});

test('another tree head is refused', async () => {
  await refuse(file(items, world.older), 'older');
  for (const [key, value] of Object.entries(world.newer)) {
    const changed = typeof value === 'number' ? value + 1 : `${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}`;
    await refuse(file(items, { ...world.newer, [key]: changed }), key);
  }
});

test('a file that is cut or damaged anywhere is refused', async () => {
  const good = file(items);
  for (let at = 0; at < good.length; at += 61) {
    await refuse(good.subarray(0, at), `cut at ${at}`);
    await refuse(good.with(at, (good[at] as number) ^ 0x40), `damaged at ${at}`);
  }
  await refuse(Buffer.concat([good, encode(1)]), 'something behind the end');
  console.log(`${refused} forged snapshots, all refused`);
});
