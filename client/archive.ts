import { type CheckedPart, checkArchivePart } from '../protocol/archive-check.ts';
import { archiveFolder, archiveName, readArchiveName } from '../protocol/archive-name.ts';
import { ArchiveDamaged, ArchiveFormat, readArchivePart } from '../protocol/archive-object.ts';
import { hex32, toHex, unhex } from '../protocol/hex.ts';
import { ArchiveAudit, type ArchiveReport, type VerifyArchiveOptions } from './archive-audit.ts';
import { claim, Mismatch } from './check.ts';
import { ArchiveRefused } from './errors.ts';
import { nobleSecp, type Secp } from './secp.ts';

/** Where archived bundles are read from; `node-archive.ts` has folders and S3. Both throw Unreachable. */
export interface ArchiveSource {
  /** Names that begin with `prefix`, in order. */
  list(prefix: string): AsyncIterable<string>;
  /** null if there is no such object. */
  get(name: string): Promise<Uint8Array | null>;
}

/** Objects that are fetched ahead of the one being checked; each has 8 MiB at most, or one event. */
const AHEAD = 4;

/** bundle and part of an object in one number: a million of them must fit into memory. */
const PARTS = 10_000;

/**
 * Checks an enclave from its archive alone, from the Manifest on: every hash and signature, the rules, state hash and
 * root of every bundle, every tree head (PROTOCOL §3–§7). Throws ArchiveRefused at the first thing that does not check.
 */
export async function verifyArchive(source: ArchiveSource, options: VerifyArchiveOptions): Promise<ArchiveReport> {
  const started = Date.now();
  const audit = new ArchiveAudit(options);
  const secp = options.secp ?? nobleSecp;
  const parts = await refusing('', () => listParts(source, options.enclave));
  const totalBundles = parts.length === 0 ? 0 : Math.floor((parts.at(-1) as number) / PARTS) + 1;
  const nameOf = (key: number): string =>
    archiveName({
      enclave: hex32(unhex(options.enclave)),
      lane: 0,
      bundle: Math.floor(key / PARTS),
      part: key % PARTS,
    });
  const ahead: Promise<Uint8Array | null>[] = [];
  let asked = 0;
  for (const key of parts) {
    options.signal?.throwIfAborted();
    while (asked < parts.length && ahead.length < AHEAD) {
      const got = source.get(nameOf(parts[asked++] as number));
      got.catch(() => {}); // it is thrown where it is awaited
      ahead.push(got);
    }
    const name = nameOf(key);
    const got = ahead.shift() as Promise<Uint8Array | null>;
    await refusing(name, async () => {
      const bytes = await got;
      claim(bytes, 'it is missing');
      audit.take(checked(bytes, key, options.enclave, secp), bytes.length);
    });
    options.progress?.({
      events: audit.events,
      bundles: audit.bundles,
      totalBundles,
      perSecond: Math.round((audit.events * 1000) / Math.max(1, Date.now() - started)),
    });
    // A signature check holds the thread: others (a signal, a bar) get their turn between two objects.
    await new Promise((resolve) => setTimeout(resolve));
  }
  return refusing('', () => audit.finish((Date.now() - started) / 1000));
}

/** The object as the part that its name says, all but its place among the others. Throws Mismatch. */
function checked(bytes: Uint8Array, key: number, enclave: string, secp: Secp): CheckedPart {
  const part = readArchivePart(bytes);
  claim(
    toHex(part.enclave) === enclave && part.lane === 0 && part.bundle * PARTS + part.part === key,
    'it holds another bundle than its name says',
  );
  return checkArchivePart(part, { verifier: secp });
}

/**
 * The parts in order, none missing. The first part of a bundle is written last, so a bundle without one at the end is
 * one that is being written: it is left out.
 */
async function listParts(source: ArchiveSource, enclave: string): Promise<number[]> {
  const found: number[] = [];
  for await (const name of source.list(archiveFolder(hex32(unhex(enclave)), 0))) {
    const parsed = readArchiveName(name);
    if (parsed) found.push(parsed.bundle * PARTS + parsed.part);
  }
  found.sort((a, b) => a - b);
  const last = Math.floor((found.at(-1) ?? 0) / PARTS);
  const whole = found.includes(last * PARTS) ? found : found.filter((key) => key < last * PARTS);
  claim(whole.length > 0, 'it holds no bundle of this enclave');
  for (const [i, key] of whole.entries()) {
    const before = whole[i - 1];
    const next = before === undefined ? 0 : Math.floor(before / PARTS) * PARTS + PARTS;
    claim(key === next || key === (before ?? -2) + 1, `bundle ${Math.floor(next / PARTS)} is missing`);
  }
  return whole;
}

async function refusing<T>(name: string, check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof Mismatch || error instanceof ArchiveDamaged || error instanceof ArchiveFormat)
      throw new ArchiveRefused(name, error.message);
    throw error;
  }
}
