import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import { FRAME_HEADER, frame } from '../../journal/frame.ts';
import { readInt } from '../bytes.ts';
import type { Epoch } from '../enclave-log.ts';
import { prefixOf } from '../row-keys.ts';
import { ContentWriter } from './content-writer.ts';
import { openEmbeddedLog } from './index.ts';
import { LogWriter } from './log-writer.ts';
import { openStore } from './store.ts';
import { CODE_FENCED, CODE_OK, CODE_UNKNOWN, type GroupDone, packAppend, packedSize } from './writer-messages.ts';

const checkpointKey = new Uint8Array(32).fill(1);
const owner = new Uint8Array(16).fill(1);
const made: string[] = [];
after(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'enc-journal-'));
  made.push(folder);
  return folder;
}

/** Opens the enclave on that writer; the epoch that it has now. */
function open(writer: LogWriter, enclave: SampleEnclave): Epoch {
  const op = { kind: 'open', prefix: prefixOf(enclave.key), recovering: false, nonce: owner } as const;
  const [answer] = writer.write({ kind: 'group', packed: new ArrayBuffer(0), appends: 0, ops: [op] });
  assert.deepEqual(answer?.kind === 'done' && [...answer.codes], [CODE_OK]);
  const store = openStore(folderOf.get(writer) as string);
  const row = store.heads.getBinary(prefixOf(enclave.key)) as Buffer;
  return { counter: readInt(row, 8), nonce: owner };
}

const folderOf = new WeakMap<LogWriter, string>();

function start(folder: string, contents?: ContentWriter): LogWriter {
  const writer = new LogWriter(folder, contents ? { contents } : {});
  folderOf.set(writer, folder);
  return writer;
}

function append(writer: LogWriter, enclave: SampleEnclave, epoch: Epoch, content: string): GroupDone {
  const one = {
    key: enclave.key,
    epoch,
    ...enclave.batch([{ content }]),
    timestamp: enclave.timestamp,
    dueAt: 0,
    deletes: [],
    done: () => {},
  };
  const packed = new ArrayBuffer(packedSize(one));
  packAppend(one, Buffer.from(packed), 0);
  const [answer] = writer.write({ kind: 'group', packed, appends: 1, ops: [] });
  assert.equal(answer?.kind, 'done');
  return answer as GroupDone;
}

async function contentsOf(folder: string, enclave: SampleEnclave): Promise<string[]> {
  const log = await openEmbeddedLog({ folder, checkpointKey });
  const { head } = await log.open(enclave.key, owner);
  const found: string[] = [];
  for (let seq = 0; seq <= head.seq; seq++)
    found.push(Buffer.from((await log.record(enclave.key, seq))?.content ?? []).toString());
  await log.close();
  return found;
}

const lastFile = (folder: string): string => {
  const names = readdirSync(join(folder, 'content')).sort();
  return join(folder, 'content', names.at(-1) as string);
};

test('what was answered and is in the journal only is there at the next start, in order', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('journal');
  const writer = start(folder);
  const epoch = open(writer, enclave);
  for (const content of ['"a"', '"b"', '"c"']) {
    const done = append(writer, enclave, epoch, content);
    assert.deepEqual([...done.codes], [CODE_OK]);
    assert.ok(done.rows.length > 0);
  }
  assert.equal(writer.waiting, 'some');
  // Never closed: as after kill -9.
  assert.deepEqual(await contentsOf(folder, enclave), ['"a"', '"b"', '"c"']);
});

test('a frame that is cut or damaged anywhere ends the journal: it and what follows never were, what came before stays', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('torn frame');
  const writer = start(folder);
  const epoch = open(writer, enclave);
  append(writer, enclave, epoch, '"kept"');
  const before = readFileSync(lastFile(folder));
  append(writer, enclave, epoch, '"torn"');
  const path = lastFile(folder);
  const whole = readFileSync(path);
  let differs = 0;
  while (whole[differs] === before[differs]) differs++;
  for (const at of [differs, differs + 5, whole.indexOf('"torn"'), whole.indexOf('"torn"') + 300]) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ 8;
    writeFileSync(path, bytes);
    const copy = newFolder();
    cpSync(folder, copy, { recursive: true });
    assert.deepEqual(await contentsOf(copy, enclave), ['"kept"'], `byte ${at}`);
  }
});

test('a content that looks like a frame is none: the nonce of a run is known to nobody', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('forged frame');
  const writer = start(folder);
  const epoch = open(writer, enclave);
  append(writer, enclave, epoch, '"mine"');
  const path = lastFile(folder);
  const bytes = readFileSync(path);
  const end = FRAME_HEADER + bytes.readUInt32LE(8) + bytes.readUInt32LE(12);
  const at = (end + 7) & ~7;
  const { parts } = frame(at, new Uint8Array(16).fill(7), [], 0, bytes.subarray(FRAME_HEADER + 6, FRAME_HEADER + 40));
  Buffer.concat(parts).copy(bytes, at);
  writeFileSync(path, bytes);
  assert.deepEqual(await contentsOf(folder, enclave), ['"mine"']);
});

test('a former owner of the folder that still runs answers for nothing, and what it had answered for is there', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('two owners');
  const first = start(folder);
  const epoch = open(first, enclave);
  append(first, enclave, epoch, '"answered"');
  const second = start(folder);
  const late = append(first, enclave.fork(), epoch, '"too late"');
  assert.deepEqual([...late.codes], [CODE_FENCED]);
  await second.close();
  assert.deepEqual(await contentsOf(folder, enclave), ['"answered"']);
});

test('an owner who is replaced while its frame is written does not know what became of it, and the new one has it or not', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('replaced meanwhile');
  let takeOver: (() => LogWriter) | null = null;
  let second: LogWriter | null = null;
  class Slow extends ContentWriter {
    override append(parts: readonly Buffer[], total: number, offset: number): void {
      super.append(parts, total, offset);
      second = takeOver?.() ?? null;
    }
  }
  const first = start(folder, new Slow(join(folder, 'content')));
  const epoch = open(first, enclave);
  append(first, enclave, epoch, '"answered"');
  takeOver = () => start(folder);
  assert.deepEqual([...append(first, enclave, epoch, '"found by the new owner"').codes], [CODE_UNKNOWN]);
  await (second as LogWriter | null)?.close();
  assert.deepEqual(await contentsOf(folder, enclave), ['"answered"', '"found by the new owner"']);
});

test('a frame whose write failed half-way, or seemed to, is never found again once the log has gone on', async () => {
  const folder = newFolder();
  const enclave = new SampleEnclave('failed write');
  let failing = false;
  class Failing extends ContentWriter {
    override append(parts: readonly Buffer[], total: number, offset: number): void {
      super.append(parts, total, offset);
      if (failing) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
    }
    // As if the crash came before this: the frame stays in the file, whole.
    override cut(): void {}
  }
  const writer = start(folder, new Failing(join(folder, 'content')));
  let epoch = open(writer, enclave);
  append(writer, enclave, epoch, '"one"');
  failing = true;
  assert.deepEqual(
    [...append(writer, enclave.fork(), epoch, '"unknown, and longer than the next"').codes],
    [CODE_UNKNOWN],
  );
  failing = false;
  // The owner opens it again, as it must after an unknown outcome: what it reads now is the truth for good.
  epoch = open(writer, enclave);
  assert.deepEqual(await contentsOf(folder, enclave), ['"one"']);
});
