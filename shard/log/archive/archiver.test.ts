import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { verifyArchive } from '../../../client/archive.ts';
import type { ArchiveReport } from '../../../client/archive-audit.ts';
import { type CheckedPart, checkArchivePart } from '../../../protocol/archive-check.ts';
import { archivedRecords, buildArchivePart, readArchivePart } from '../../../protocol/archive-object.ts';
import { FaultyStore } from '../../../test/archive/faulty-store.ts';
import { Room } from '../../../test/archive/room.ts';
import { FaultyLog } from '../../../test/conformance/faulty-log.ts';
import { openSecp256k1 } from '../../crypto/open.ts';
import type { EnclaveLog } from '../enclave-log.ts';
import { ArchiveConflict } from './archive-errors.ts';
import { StoredArchive } from './archive-reader.ts';
import { objectName } from './archived-object.ts';
import { Archiver } from './archiver.ts';
import { FileStore } from './file-store.ts';
import { type ObjectStore, StoreUnavailable } from './object-store.ts';

const secp = openSecp256k1();

/** A room and an archive in folders of their own. */
async function withRoom(
  nonce: string,
  run: (room: Room, store: FileStore, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
  await using room = await Room.make(nonce);
  try {
    await run(room, new FileStore(folder), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function archiver(room: Room, store: ObjectStore, log: EnclaveLog = room.log, partBytes?: number): Archiver {
  return new Archiver({ log, guard: room.guard, store, verifier: secp, ...(partBytes ? { partBytes } : {}) });
}

function verified(room: Room, folder: string): Promise<ArchiveReport> {
  const store = new FileStore(folder);
  return verifyArchive(
    {
      async *list(prefix) {
        for (const name of readdirSync(join(folder, prefix)).sort()) yield prefix + name;
      },
      get: (name) => store.get(name),
    },
    { enclave: room.enclave, secp },
  );
}

/** name → bytes, of all objects */
function contents(folder: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(path.slice(folder.length + 1), readFileSync(path));
  }
  return found;
}

/** Three bundles: notes, an Update of the first one, and its Delete; one more note is open. */
async function fill(room: Room): Promise<void> {
  const first = await room.note('SECRET one');
  await room.note('kept one');
  await room.close();
  await room.update(first, 'SECRET two');
  await room.note('kept two');
  await room.close();
  const brief = await room.note('SECRET three');
  await room.delete(first);
  await room.delete(brief);
  await room.close();
  await room.note('open');
}

test('closed and released bundles are archived, and check from the archive alone; erased contents are gone', () =>
  withRoom('plain', async (room, store, folder) => {
    const archive = archiver(room, store);
    await room.note('one');
    await archive.run(room.key);
    assert.equal(contents(folder).size, 0, 'an open bundle is not archived');
    await room.close(false);
    await archive.run(room.key);
    assert.equal(contents(folder).size, 0, 'nor is one that was not released');
    await room.release();
    assert.equal(await archive.lag(room.key), 1);
    await archive.run(room.key);
    assert.equal((await verified(room, folder)).events, 2);
    await fill(room);
    assert.equal(await archive.lag(room.key), 3);
    await archive.run(room.key);
    const report = await verified(room, folder);
    assert.deepEqual([report.bundles, report.events, report.erased, await archive.lag(room.key)], [4, 9, 3, 0]);
    assert.equal(await room.log.archived(room.key), 4);
    for (const [name, bytes] of contents(folder)) assert.equal(bytes.includes('SECRET'), false, name);
    assert.ok([...contents(folder).values()].some((bytes) => bytes.includes('kept two')));
  }));

test('a Delete erases in bundles that were archived long ago, and the archive checks at every moment', () =>
  withRoom('delete', async (room, store, folder) => {
    const archive = archiver(room, store, room.log, 1200);
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push(await room.note(`SECRET ${i}`));
    await room.close();
    await archive.run(room.key);
    const parts = contents(folder);
    assert.ok(parts.size >= 3, 'several parts');
    await room.update(ids[3] as string, 'SECRET again');
    await room.close();
    await archive.run(room.key);
    const before = contents(folder);
    await room.delete(ids[3] as string);
    // The log has erased it; the archive does when it has the Delete.
    assert.equal((await verified(room, folder)).erased, 0);
    await room.close();
    await archive.run(room.key);
    assert.equal((await verified(room, folder)).erased, 2);
    for (const [name, bytes] of contents(folder)) {
      assert.equal(bytes.includes('SECRET 3') || bytes.includes('SECRET again'), false, name);
      // Nothing but zeros has come into what was there before.
      for (const [at, byte] of before.get(name)?.entries() ?? []) assert.ok(bytes[at] === byte || bytes[at] === 0);
    }
    assert.equal([...contents(folder).values()].filter((bytes) => bytes.includes('SECRET 4')).length, 1);
  }));

test('a crash at any call of the store, before or after its effect, costs nothing', () =>
  withRoom('crash', async (room) => {
    await fill(room);
    for (const partBytes of [undefined, 900]) {
      let expected: Map<string, Buffer> | null = null;
      for (let call = 0; ; call++) {
        let reached = true;
        for (const kind of ['failed', 'persisted'] as const) {
          const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
          try {
            const inner = new FileStore(folder);
            const store = new FaultyStore(inner);
            store.fault = { call, kind };
            const log = withoutCursor(room.log);
            const ended = await archiver(room, store, log, partBytes)
              .run(room.key)
              .catch((error: unknown) => error);
            reached = ended instanceof StoreUnavailable;
            await archiver(room, inner, log, partBytes).run(room.key);
            assert.equal(await log.archived(room.key), 3);
            expected ??= contents(folder);
            assert.deepEqual(contents(folder), expected, `call ${call} ${kind}`);
            if (call === 0) assert.equal((await verified(room, folder)).erased, 3);
          } finally {
            rmSync(folder, { recursive: true, force: true });
          }
        }
        if (!reached) {
          assert.ok(call > 6);
          break;
        }
      }
    }
  }));

for (const fault of ['failed', 'persisted'] as const)
  test(`put, then the cursor's move ${fault}: the object is found and taken`, () =>
    withRoom(`cursor ${fault}`, async (room, store, folder) => {
      await fill(room);
      const faulty = new FaultyLog(room.log);
      faulty.next('moveArchived', fault);
      await assert.rejects(archiver(room, store, faulty.log).run(room.key), { name: 'LogUnavailable' });
      const put = contents(folder);
      assert.equal(put.size, 1);
      assert.equal(await room.log.archived(room.key), fault === 'persisted' ? 1 : 0);
      await room.closeStores();
      await room.openStores();
      await archiver(room, store).run(room.key);
      assert.deepEqual(contents(folder).get([...put.keys()][0] as string), [...put.values()][0]);
      assert.equal((await verified(room, folder)).bundles, 3);
    }));

test('archivers that race all succeed, and leave one good archive', () =>
  withRoom('race', async (room, _store, folder) => {
    for (const partBytes of [undefined, 900]) {
      await fill(room);
      await Promise.all(
        Array.from({ length: 4 }, () => archiver(room, new FileStore(folder), room.log, partBytes).run(room.key)),
      );
    }
    const report = await verified(room, folder);
    assert.deepEqual([report.bundles, report.erased], [6, 6]);
    assert.equal(await room.log.archived(room.key), 6);
  }));

/** One object of the finished archive is not what it was, and the archiver starts from nothing. */
async function meets(nonce: string, change: (path: string, folder: string, room: Room) => void): Promise<unknown> {
  let met: unknown = null;
  await withRoom(nonce, async (room, store, folder) => {
    await fill(room);
    await archiver(room, store).run(room.key);
    change(join(folder, objectName(room.key, 1, 0)), folder, room);
    // The cursor is lost: all of the archive is looked at again, until something does not fit.
    met = await archiver(room, store, withoutCursor(room.log))
      .run(room.key)
      .catch((error: unknown) => error);
  });
  return met;
}

/** A log whose cursor begins at 0 again. */
function withoutCursor(log: EnclaveLog): EnclaveLog {
  let at = 0;
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'archived') return async () => at;
      if (name === 'moveArchived')
        return async (_key: unknown, from: number, to: number) => {
          if (from !== at) return 'fenced';
          at = to;
          return 'ok';
        };
      const member = Reflect.get(target, name, target) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

test('objects that were there before are taken if they are as good', async () => {
  assert.equal(await meets('as good', () => {}), undefined);
});

test('an object that was cut, flipped, exchanged or emptied of a content is a conflict, and the archive stops there', async () => {
  const changes: Record<string, (path: string, folder: string, room: Room) => void> = {
    truncated: (path) => truncateSync(path, 300),
    empty: (path) => truncateSync(path, 0),
    'bit flipped in a record': (path) => flip(path, 200),
    'bit flipped in the header': (path) => flip(path, 60),
    'bit flipped in a content': (path) => flip(path, readFileSync(path).length - 4),
    exchanged: (path, folder, room) => writeFileSync(path, readFileSync(join(folder, objectName(room.key, 0, 0)))),
    'of a newer format': (path) => writeFileSync(path, readFileSync(path).fill(2, 0, 1)),
    'content withheld': (path) => {
      const bytes = readFileSync(path);
      const at = bytes.indexOf('{"text":"kept two"}');
      writeFileSync(path, bytes.fill(0, at, at + '{"text":"kept two"}'.length));
    },
    'sent in another form': (path) => writeFileSync(path, otherForm(readFileSync(path))),
  };
  for (const [what, change] of Object.entries(changes)) {
    const met = await meets(what, change);
    assert.ok(met instanceof ArchiveConflict, `${what}: ${String(met)}`);
    assert.match(met.message, /000000000001\.0000/, what);
  }
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 4;
  writeFileSync(path, bytes);
}

/** A bit that no signature covers: whether `alg` was sent or left to its default. */
function otherForm(bytes: Buffer): Uint8Array {
  const part = readArchivePart(bytes);
  const records = part.records.slice();
  records[5] = (records[5] as number) | 2;
  const changed = buildArchivePart({ ...part, records });
  const checked: CheckedPart = checkArchivePart(readArchivePart(changed), { verifier: secp });
  assert.equal(checked.events.length, [...archivedRecords(part)].length);
  return changed;
}

test('a store that gives back something else than was written stops the archive', () =>
  withRoom('liar', async (room, inner) => {
    await fill(room);
    const store = new FaultyStore(inner);
    for (const lie of [
      (_name: string, bytes: Uint8Array) => bytes.slice(0, -1),
      (_name: string, bytes: Uint8Array) => bytes.slice().fill(7, 150, 151),
      () => null,
    ]) {
      store.lie = lie;
      await assert.rejects(archiver(room, store).run(room.key), ArchiveConflict);
      assert.equal(await room.log.archived(room.key), 0);
    }
    store.lie = null;
    await archiver(room, store).run(room.key);
    assert.equal(await room.log.archived(room.key), 3);
  }));

test('an erasure that was cut off half way is finished by the next run', () =>
  withRoom('torn', async (room, store, folder) => {
    const id = await room.note('SECRET, and long enough to be torn in two');
    await room.close();
    await archiver(room, store).run(room.key);
    await room.delete(id);
    await room.close();
    const path = join(folder, objectName(room.key, 0, 0));
    const bytes = readFileSync(path);
    const at = bytes.indexOf('{"text":"SECRET');
    writeFileSync(path, bytes.fill(0, at, at + 20));
    await archiver(room, store).run(room.key);
    assert.equal((await verified(room, folder)).erased, 1);
    assert.equal(readFileSync(path).includes('in two'), false);
  }));

test('a full disk stops the archive, and room on it lets it go on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-archive-'));
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return t.skip('mounting a small disk needs root on Linux');
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status !== 0)
    return t.skip('a tmpfs can not be mounted here');
  try {
    await using room = await Room.make('disk');
    await fill(room);
    const store = new FileStore(folder);
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(60 * 1024));
    await assert.rejects(archiver(room, store).run(room.key), (error: unknown) => {
      assert.ok(error instanceof StoreUnavailable, String(error));
      assert.match(error.message, /ENOSPC|no space/i);
      return true;
    });
    assert.deepEqual(readdirSync(join(folder, 'tmp')), []);
    rmSync(join(folder, 'ballast'));
    await archiver(room, store).run(room.key);
    assert.equal(await room.log.archived(room.key), 3);
    assert.equal((await verified(room, folder)).bundles, 3);
  } finally {
    spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a log that trimmed reads through to the archive: the same batches and events, verified', () =>
  withRoom('reader', async (room, store, folder) => {
    for (const partBytes of [undefined, 900]) {
      await fill(room);
      await archiver(room, store, room.log, partBytes).run(room.key);
    }
    const reader = new StoredArchive(new FileStore(folder), secp);
    const head = await room.log.head(room.key);
    for (let bundle = 0; bundle < (head?.bundles ?? 0); bundle++) {
      const closing = (await room.log.closing(room.key, bundle)) as Uint8Array;
      const first = Number(new DataView(closing.buffer, closing.byteOffset).getBigUint64(16, true));
      const size = new DataView(closing.buffer, closing.byteOffset).getUint32(24, true);
      const skeletons: Uint8Array[] = [];
      const contents: Uint8Array[] = [];
      let events = 0;
      for await (const batch of reader.batches(room.key, closing, first)) {
        assert.equal(batch.firstSeq, first + events);
        events += batch.events;
        skeletons.push(batch.skeleton);
        contents.push(batch.content);
      }
      assert.equal(events, size);
      const [wanted, text] = await logged(room, first, size, closing);
      assert.equal(Buffer.compare(Buffer.concat(skeletons), wanted), 0, `records of bundle ${bundle}`);
      assert.equal(Buffer.concat(contents).toString(), text);
      for (let seq = first; seq < first + size; seq++) {
        const [got, kept] = [await reader.record(room.key, closing, seq), await room.log.record(room.key, seq)];
        assert.equal(Buffer.compare(got.record, kept?.record ?? Buffer.alloc(0)), 0);
        assert.equal(Buffer.compare(got.content, kept?.content ?? Buffer.alloc(0)), 0);
      }
    }
    const closing = (await room.log.closing(room.key, 1)) as Uint8Array;
    const other = (await room.log.closing(room.key, 0)) as Uint8Array;
    const path = join(folder, objectName(room.key, 1, 0));
    mkdirSync(join(folder, 'aside'));
    const good = readFileSync(path);
    for (const bad of [good.subarray(0, 200), readFileSync(join(folder, objectName(room.key, 0, 0)))]) {
      writeFileSync(path, bad);
      await assert.rejects(new StoredArchive(store, secp).record(room.key, closing, 3), { name: 'LogDamaged' });
    }
    rmSync(path);
    await assert.rejects(new StoredArchive(store, secp).record(room.key, closing, 3), { name: 'LogDamaged' });
    assert.notDeepEqual(closing, other);
  }));

/** Records and contents of a bundle as the log has them. */
async function logged(room: Room, first: number, size: number, closing: Uint8Array): Promise<[Buffer, string]> {
  const records: Uint8Array[] = [];
  let text = '';
  for (let seq = first; seq < first + size; seq++) {
    const stored = await room.log.record(room.key, seq);
    records.push((stored?.record ?? new Uint8Array(0)).slice());
    text += Buffer.from(stored?.content ?? '').toString();
    if (seq !== 0) continue;
    const [batch] = await room.log.read(room.key, 0, 1);
    const skeleton = Buffer.from(batch?.skeleton ?? '');
    const at = skeleton.readUInt32LE(0);
    records.push(skeleton.subarray(at, at + skeleton.readUInt32LE(at)));
  }
  return [Buffer.concat([...records, closing]), text];
}
