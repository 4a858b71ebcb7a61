import { type EnclaveId, isHex32 } from './hex.ts';

/**
 * Names of archived bundles: `<enclave>/<lane>/<bundle>.<part>`, decimal numbers padded so that the order of names is
 * the order of bundles. A bundle has one part, unless its contents are large (archive-object.ts).
 */
export interface ArchiveName {
  readonly enclave: EnclaveId;
  readonly lane: number;
  /** CT leaf index */
  readonly bundle: number;
  readonly part: number;
}

const BUNDLE_DIGITS = 12;
const PART_DIGITS = 4;
const PATTERN = /^([0-9a-f]{64})\/(0|[1-9]\d{0,9})\/(\d{12})\.(\d{4})$/;

export function archiveName({ enclave, lane, bundle, part }: ArchiveName): string {
  return `${archiveFolder(enclave, lane)}${pad(bundle, BUNDLE_DIGITS)}.${pad(part, PART_DIGITS)}`;
}

/** What the names of one enclave's lane begin with. */
export function archiveFolder(enclave: EnclaveId, lane: number): string {
  return `${enclave}/${lane}/`;
}

/** null if it is no name of an archived bundle. */
export function readArchiveName(text: string): ArchiveName | null {
  const [, enclave, lane, bundle, part] = PATTERN.exec(text) ?? [];
  if (!isHex32<EnclaveId>(enclave)) return null;
  return { enclave, lane: Number(lane), bundle: Number(bundle), part: Number(part) };
}

/** Throws RangeError on what the padding can't hold. */
function pad(n: number, digits: number): string {
  const text = String(n);
  if (!Number.isSafeInteger(n) || n < 0 || text.length > digits) throw new RangeError(`no archive name for ${n}`);
  return text.padStart(digits, '0');
}

/** Where an archive is: a folder, or a bucket and what its names there begin with ('' or a path that ends in /). */
export type ArchivePlace =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string };

/** `s3://bucket/prefix`, or a path; null if it begins with s3: and is not of that form. */
export function readArchivePlace(text: string): ArchivePlace | null {
  if (!/^s3:/i.test(text)) return { kind: 'folder', path: text };
  const [, bucket, path] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text) ?? [];
  if (bucket === undefined) return null;
  const parts = (path ?? '').split('/').filter((part) => part !== '');
  if (parts.some((part) => !/^[\w.!*'()-]+$/.test(part) || part === '.' || part === '..')) return null;
  return { kind: 's3', bucket, prefix: parts.map((part) => `${part}/`).join('') };
}
