import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from './random.ts';
import { Skipped } from './scenario.ts';

/** Records of recorder/record.c, in the order in which they happened. */
type Entry =
  | { readonly kind: 'name'; readonly inode: bigint; readonly path: string; readonly folder: boolean }
  | {
      readonly kind: 'write';
      readonly inode: bigint;
      readonly offset: number;
      readonly bytes: Buffer;
      readonly durable: boolean;
    }
  | { readonly kind: 'sync begin' | 'sync end'; readonly inode: bigint; readonly sync: bigint }
  | { readonly kind: 'truncate'; readonly inode: bigint; readonly size: number }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'unlink' | 'mkdir'; readonly path: string }
  | { readonly kind: 'sent'; readonly bytes: Buffer };

const HEADER = 24;
/** Beyond all inodes. */
const NEXT_FILE = 1n << 64n;
/** Content that LMDB keeps by memory map and makes anew when nobody has it open. */
const VOLATILE = /(^|\/)lock\.mdb$/;

/** Builds the recorder; what a node needs in its environment to be recorded. Throws Skipped without a C compiler. */
export function recorder(
  folder: string,
  data: string,
  options: { sync: boolean },
): { env: Record<string, string>; file: string } {
  if (process.platform !== 'linux') throw new Skipped('the recorder works on Linux only');
  const compiler = ['gcc', 'cc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined) throw new Skipped('there is no C compiler: install gcc to test power cuts');
  const library = join(folder, 'record.so');
  const file = join(folder, 'recording');
  execFileSync(
    compiler,
    ['-O1', '-shared', '-fPIC', '-o', library, fileURLToPath(new URL('recorder/record.c', import.meta.url)), '-ldl'],
    { stdio: 'pipe' },
  );
  return {
    file,
    env: {
      LD_PRELOAD: library,
      ENC_RECORD: file,
      ENC_RECORD_ROOT: data,
      ...(options.sync ? {} : { ENC_RECORD_NOSYNC: '1' }),
    },
  };
}

/** How much of what was not synced survives a power cut. */
export type Survival = 'nothing' | 'everything' | 'whole writes' | 'pages' | 'sectors';
const GRAIN: Record<Survival, number> = { nothing: 0, everything: 0, 'whole writes': 0, pages: 4096, sectors: 512 };

export class Recording {
  readonly root: string;
  readonly entries: readonly Entry[];

  constructor(file: string, root: string) {
    this.root = root;
    this.entries = numbered(parse(readFileSync(file)));
  }

  /** Positions right behind something that was sent: the moments at which a client knew something new. */
  get sentAt(): number[] {
    return this.entries.flatMap((entry, i) => (entry.kind === 'sent' ? [i + 1] : []));
  }

  /** All that had been sent before `end`, as text. */
  sentBefore(end: number): string {
    return Buffer.concat(
      this.entries.slice(0, end).flatMap((entry) => (entry.kind === 'sent' ? [entry.bytes] : [])),
    ).toString('latin1');
  }

  /**
   * The folder as a power cut before entry `end` may have left it: what was synced, and of the rest what `survival` and
   * chance say. Names follow the order of a journal: a sync of a folder, or of a file itself, keeps all names made
   * before it (ext4, XFS and Btrfs do so); of later ones a prefix survives. `unsynced`: files whose syncs don't count,
   * to show that they matter.
   */
  rebuild(end: number, survival: Survival, random: Random, unsynced?: RegExp): Map<string, Buffer> {
    const entries = this.entries.slice(0, end);
    const began = new Map<bigint, number>();
    const synced = new Map<bigint, number>();
    let namesKept = 0;
    const lost = new Set(
      entries.flatMap((entry) => (entry.kind === 'name' && unsynced?.test(entry.path) ? [entry.inode] : [])),
    );
    for (const [i, entry] of entries.entries()) {
      if (entry.kind === 'sync begin') began.set(entry.sync, i);
      if (entry.kind !== 'sync end') continue;
      if (lost.has(entry.inode)) continue;
      const from = began.get(entry.sync) ?? 0;
      synced.set(entry.inode, Math.max(from, synced.get(entry.inode) ?? 0));
      namesKept = Math.max(namesKept, from);
    }
    const nameEnd = survival === 'everything' ? end : survival === 'nothing' ? namesKept : random.int(namesKept, end);
    const files = new Map<bigint, Content>();
    const names = new Map<string, bigint>();
    for (const [i, entry] of entries.entries()) {
      if (entry.kind === 'write' || entry.kind === 'truncate') {
        const content = files.get(entry.inode) ?? new Content();
        files.set(entry.inode, content);
        const kept = i < (synced.get(entry.inode) ?? -1);
        if (entry.kind === 'truncate') {
          if (kept || survival === 'everything' || (survival !== 'nothing' && random.chance(0.5)))
            content.truncate(entry.size);
        } else if (kept || (entry.durable && !lost.has(entry.inode)) || survival === 'everything')
          content.write(entry.offset, entry.bytes);
        else if (survival !== 'nothing') content.writeSome(entry.offset, entry.bytes, GRAIN[survival], random);
      } else if (i < nameEnd) {
        if (entry.kind === 'name' && !entry.folder && names.get(entry.path) !== entry.inode)
          names.set(entry.path, entry.inode);
        if (entry.kind === 'unlink') names.delete(entry.path);
        if (entry.kind === 'rename') {
          const inode = names.get(entry.from);
          names.delete(entry.from);
          if (inode !== undefined) names.set(entry.to, inode);
        }
      }
    }
    const rebuilt = new Map<string, Buffer>();
    for (const [path, inode] of names) {
      const inside = relative(this.root, path).split(sep).join('/');
      if (!VOLATILE.test(inside)) rebuilt.set(inside, files.get(inode)?.bytes() ?? Buffer.alloc(0));
    }
    return rebuilt;
  }
}

export function writeFolder(folder: string, files: ReadonlyMap<string, Buffer>): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [path, bytes] of files) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    writeFileSync(target, bytes, { mode: 0o600 });
  }
}

/** A file that grows by writes anywhere; gaps are zeros. */
class Content {
  #bytes = Buffer.alloc(0);
  #length = 0;

  write(offset: number, bytes: Uint8Array): void {
    this.#extend(offset + bytes.length);
    this.#bytes.set(bytes, offset);
  }

  /** Pieces of `grain` bytes (0: the whole) survive by chance; so does the length. */
  writeSome(offset: number, bytes: Buffer, grain: number, random: Random): void {
    if (random.chance(0.5)) this.#extend(offset + bytes.length);
    for (let at = 0; at < bytes.length; ) {
      const next = grain === 0 ? bytes.length : Math.min(bytes.length, at + grain - ((offset + at) % grain));
      if (random.chance(0.5)) this.write(offset + at, bytes.subarray(at, next));
      at = next;
    }
  }

  truncate(size: number): void {
    this.#extend(size);
    this.#bytes.fill(0, size, this.#length);
    this.#length = size;
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #extend(length: number): void {
    if (length > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], Math.max(length, 2 * this.#bytes.length));
    this.#length = Math.max(this.#length, length);
  }
}

function parse(file: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; at + HEADER <= file.length; ) {
    const kind = file[at];
    const flags = file[at + 1] as number;
    const length = file.readUInt32LE(at + 4);
    const inode = file.readBigUInt64LE(at + 8);
    const number = file.readBigUInt64LE(at + 16);
    const bytes = file.subarray(at + HEADER, at + HEADER + length);
    if (bytes.length < length) break;
    at += HEADER + length;
    if (kind === 1) entries.push({ kind: 'name', inode, path: bytes.toString(), folder: flags === 1 });
    if (kind === 2) entries.push({ kind: 'write', inode, offset: Number(number), bytes, durable: flags === 1 });
    if (kind === 3 || kind === 4) entries.push({ kind: kind === 3 ? 'sync begin' : 'sync end', inode, sync: number });
    if (kind === 5) entries.push({ kind: 'truncate', inode, size: Number(number) });
    if (kind === 6) {
      const [from, to] = bytes.toString().split('\0') as [string, string];
      entries.push({ kind: 'rename', from, to });
    }
    if (kind === 7 || kind === 9) entries.push({ kind: kind === 7 ? 'unlink' : 'mkdir', path: bytes.toString() });
    if (kind === 8) entries.push({ kind: 'sent', bytes });
  }
  return entries;
}

/** The inode of a file that has lost its last name may come back as another file: that one gets a number of its own. */
function numbered(entries: readonly Entry[]): Entry[] {
  const names = new Map<string, bigint>();
  const numbers = new Map<bigint, bigint>();
  return entries.map((entry) => {
    if (entry.kind === 'unlink') names.delete(entry.path);
    if (entry.kind === 'rename') {
      const inode = names.get(entry.from);
      names.delete(entry.from);
      if (inode !== undefined) names.set(entry.to, inode);
    }
    if (!('inode' in entry)) return entry;
    const { inode } = entry;
    if (entry.kind === 'name' && !entry.folder) {
      const before = numbers.get(inode);
      if (before === undefined) numbers.set(inode, inode);
      else if (![...names.values()].includes(inode)) numbers.set(inode, before + NEXT_FILE);
      names.set(entry.path, inode);
    }
    return { ...entry, inode: numbers.get(inode) ?? inode };
  });
}
