import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ArchiveSource, verifyArchive } from '../../client/archive.ts';
import type { ArchiveReport, VerifyArchiveOptions } from '../../client/archive-audit.ts';
import { ArchiveRefused } from '../../client/errors.ts';
import { type Person, person } from '../../kernel/reference/memory-node.test-util.ts';
import { archiveName } from '../../protocol/archive-name.ts';
import { type ArchivePart, archivedRecords, buildArchivePart, erasedRecord } from '../../protocol/archive-object.ts';
import { concat, viewOf } from '../../protocol/bytes.ts';
import { sha256 } from '../../protocol/hash.ts';
import { readClosingRecord, readEventRecord, recordKind, splitRecords } from '../../protocol/records.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { World } from './world.ts';

/** Archives with one thing changed, every sum made right again: only what was signed and hashed gives them away. */
const secp = openSecp256k1();
const world = await new World(secp).fill({ nonce: 'archive' });
const other = await new World(secp).fill({ nonce: 'another' });
let refused = 0;

/** The closed bundles of a world, one part each, or several with `split` events at most. */
function partsOf(of: World, split = Number.POSITIVE_INFINITY): ArchivePart[] {
  const log = of.node.enclaves.get(of.enclave)?.log;
  assert.ok(log);
  const records = [...splitRecords(log.skeleton)];
  return log.closings.flatMap((closing) => {
    const { index, firstSeq, size } = readClosingRecord(closing);
    const events = log.events.slice(firstSeq, firstSeq + size);
    const several = size > split;
    const parts: ArchivePart[] = [];
    for (let at = 0; at < size; at += split) {
      const own = events.slice(at, at + split);
      const genesis = firstSeq + at === 0 ? records.filter((record) => recordKind(record) === 2) : [];
      parts.push({
        ...{ rules: 1, part: parts.length, lane: 0, enclave: Uint8Array.from(Buffer.from(of.enclave, 'hex')) },
        ...{ bundle: index, firstSeq, size, from: firstSeq + at, events: own.length, closing },
        ids: several ? concat(...events.map(({ id }) => id)) : new Uint8Array(0),
        records: concat(...own.flatMap(({ record }, i) => (i === 0 ? [record, ...genesis] : [record]))),
        contents: concat(...own.map(({ body }) => body)),
      });
    }
    return parts;
  });
}

type Objects = ReadonlyMap<string, Uint8Array>;

function objects(parts: readonly ArchivePart[], enclave = world.enclave): Map<string, Uint8Array> {
  return new Map(
    parts.map((part) => [
      archiveName({ enclave: enclave as never, lane: 0, bundle: part.bundle, part: part.part }),
      buildArchivePart(part),
    ]),
  );
}

function source(kept: Objects): ArchiveSource {
  return {
    async *list(prefix) {
      for (const name of [...kept.keys()].sort()) if (name.startsWith(prefix)) yield name;
    },
    get: async (name) => kept.get(name) ?? null,
  };
}

function verify(kept: Objects, options: Partial<VerifyArchiveOptions> = {}): Promise<ArchiveReport> {
  return verifyArchive(source(kept), { enclave: world.enclave, secp, ...options });
}

async function refuse(kept: Objects, why: string, options: Partial<VerifyArchiveOptions> = {}): Promise<void> {
  await assert.rejects(verify(kept, options), ArchiveRefused, why);
  refused++;
}

const whole = partsOf(world);
const split = partsOf(world, 2);
const honest = objects(whole);
/** seq of the message that the world's Delete names */
const DELETED = whole.flatMap((part) => [...archivedRecords(part)]).filter((item) => 'record' in item).length - 2;

/** The part without the content of event `seq`: as a rewrite leaves it, or as it is written once the log lost it. */
function without(part: ArchivePart, seq: number, how: 'zeroed' | 'marked'): ArchivePart {
  const records: Uint8Array[] = [];
  const contents: Uint8Array[] = [];
  for (const item of archivedRecords(part)) {
    if ('genesis' in item) records.push(item.genesis);
    else {
      const here = readEventRecord(item.record).seq === seq;
      records.push(here && how === 'marked' ? erasedRecord(item.record) : item.record);
      contents.push(here ? new Uint8Array(how === 'marked' ? 0 : item.length) : item.content);
    }
  }
  return { ...part, records: concat(...records), contents: concat(...contents) };
}

test('an honest archive passes, in one part a bundle or in several', async () => {
  for (const parts of [whole, split]) {
    const report = await verify(objects(parts), { sequencer: world.node.sequencer.id });
    assert.deepEqual([report.events, report.bundles, report.named, report.erased], [9, 2, true, 0]);
    assert.deepEqual(report.sth, world.newer);
  }
});

test('what a Delete erased may be gone, in both ways; nothing else may', async () => {
  for (const how of ['zeroed', 'marked'] as const) {
    for (const parts of [whole, split]) {
      const report = await verify(objects(parts.map((part) => without(part, DELETED, how))));
      assert.equal(report.erased, 1);
    }
    for (let seq = 0; seq < 9; seq++) {
      if (seq === DELETED) continue;
      await refuse(objects(whole.map((part) => without(part, seq, how))), `event ${seq} ${how}`);
    }
  }
});

test('an object that is missing, exchanged, or not where it belongs is refused', async () => {
  const foreign = objects(partsOf(other), other.enclave);
  for (const parts of [whole, split]) {
    const kept = objects(parts);
    const names = [...kept.keys()];
    for (const [i, name] of names.entries()) {
      const less = new Map(kept);
      less.delete(name);
      // From the archive alone nobody sees that its end is missing, but who knows how long it should be does.
      await refuse(less, `without ${name}`, { bundles: 2 });
      for (const twin of names.slice(i + 1))
        await refuse(
          new Map(kept).set(name, kept.get(twin) as Uint8Array).set(twin, kept.get(name) as Uint8Array),
          `${name} and ${twin} exchanged`,
        );
      await refuse(new Map(kept).set(name, [...foreign.values()][0] as Uint8Array), `${name} of another enclave`);
    }
  }
  await refuse(new Map(), 'an empty archive');
});

test('a bundle that is still being written is left out', async () => {
  const kept = objects(split);
  for (const name of [...kept.keys()]) if (name.endsWith('000000000001.0000')) kept.delete(name);
  const report = await verify(kept);
  assert.equal(report.bundles, 1);
  assert.deepEqual(report.sth, world.older);
});

test('an archive of another history than the one remembered is refused', async () => {
  const terms = [{ sequencer: world.node.sequencer.id, since: 0 }];
  const known = { terms, source: 'manifest' as const };
  assert.equal((await verify(honest, { remembered: { ...known, sth: world.older } })).consistentWith, 1);
  assert.equal(
    (await verify(honest, { remembered: { ...known, sth: { ...world.newer, ts: 9 } } })).consistentWith,
    null,
  );
  await refuse(honest, 'another root', { remembered: { ...known, sth: { ...world.older, r: world.newer.r } } });
  const thief: Person = person('thief');
  await refuse(honest, 'another sequencer', { sequencer: thief.id });
  await refuse(honest, 'another sequencer', { remembered: { ...known, terms: [{ sequencer: thief.id, since: 0 }] } });
});

test('bytes all over every object count, though the sum is right', async () => {
  for (const parts of [whole, split]) {
    for (const [i, part] of parts.entries()) {
      const good = buildArchivePart(part);
      const step = parts === whole ? 5 : 61;
      for (let at = 0; at < good.length; at += step) {
        if (at >= 96 && at < 128) continue;
        const changed = good.with(at, (good[at] as number) ^ (at % 3 === 0 ? 0x01 : 0x40));
        const kept = objects(parts).set([...objects(parts).keys()][i] as string, resummed(changed));
        await refuse(kept, `byte ${at} of part ${i}`);
      }
    }
  }
});

test('fields that are changed to other good values are refused', async () => {
  const [first, second] = whole as [ArchivePart, ArchivePart];
  const closing = readClosingRecord(second.closing);
  const changes: [string, Partial<ArchivePart>][] = [
    ['rules', { rules: 0 }],
    ['rules', { rules: 2 }],
    ['part', { part: 1 }],
    ['lane', { lane: 1 }],
    ['bundle', { bundle: 0 }],
    ['first seq', { firstSeq: second.firstSeq - 1 }],
    ['size', { size: second.size - 1 }],
    ['from', { from: second.from + 1 }],
    ['events', { events: second.events - 1 }],
    ['ids', { ids: new Uint8Array(32 * second.size) }],
    ['closing', { closing: first.closing }],
    ['records', { records: first.records }],
    ['contents', { contents: first.contents }],
    ['no contents', { contents: new Uint8Array(0) }],
  ];
  const name = archiveName({ enclave: world.enclave as never, lane: 0, bundle: 1, part: 0 });
  for (const [what, change] of changes)
    await refuse(new Map(honest).set(name, buildArchivePart({ ...second, ...change })), what);
  assert.equal(closing.index, 1);
});

test('a tree head without its signature is one that proves nothing', async () => {
  const unsigned = (part: ArchivePart): ArchivePart => ({ ...part, closing: part.closing.slice().fill(0, 168, 232) });
  const [first, second] = whole as [ArchivePart, ArchivePart];
  // A restored log has lost those of the older ones: the newest signs for all.
  assert.equal((await verify(objects([unsigned(first), second]))).bundles, 2);
  await refuse(objects([first, unsigned(second)]), 'the newest');
});

test('an object that is cut anywhere, or of a newer format, is refused', async () => {
  const [name, good] = [...honest][1] as [string, Uint8Array];
  for (let at = 0; at < good.length; at += 13)
    await refuse(new Map(honest).set(name, good.subarray(0, at)), `cut at ${at}`);
  await refuse(new Map(honest).set(name, concat(good, Uint8Array.of(0))), 'a byte too many');
  await assert.rejects(verify(new Map(honest).set(name, good.with(0, 2))), /reads up to 1/);
  for (let at = 0; at < good.length; at += 7)
    await refuse(new Map(honest).set(name, good.with(at, (good[at] as number) ^ 0x10)), `bit of ${at}`);
  console.log(`${refused} forged archives, all refused`);
});

/** The object with the sum that belongs to its bytes. */
function resummed(bytes: Uint8Array): Uint8Array {
  const contentsAt = Math.max(128, bytes.length - viewOf(bytes).getUint32(92, true));
  const copy = bytes.slice();
  copy.set(sha256(bytes.subarray(0, 96), bytes.subarray(128, contentsAt)), 96);
  return copy;
}
