import { commitHash, contentHash, enclaveId, keySeed, type Tags } from '../../protocol/hash.ts';
import { type JsonObject, parseJson } from '../../protocol/json.ts';
import type { Random } from './random.ts';
import { hex, highS, type Identity, sign } from './ring.ts';

export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

export interface Draft {
  readonly enclave: Uint8Array;
  readonly from: Identity;
  readonly type: string;
  readonly content: Plain;
  readonly exp: number;
  readonly tags?: string[][];
  readonly alg?: 'schnorr' | 'ecdsa';
}

const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));
const parsed = (content: Plain) => parseJson(encode(JSON.stringify(content)), 64)!.value;

/** JSON of a value in one of its many spellings: order of keys, white space and escapes are free on the wire. */
export function spell(value: Plain, random: Random | null): string {
  if (!random) return JSON.stringify(value);
  const space = (): string => (random.chance(0.1) ? random.pick([' ', '\n', '\t', '\r\n ']) : '');
  const quote = (text: string): string =>
    random.chance(0.1)
      ? `"${[...text].map((c) => (random.chance(0.3) ? [...c.split('')].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('') : JSON.stringify(c).slice(1, -1))).join('')}"`
      : JSON.stringify(text);
  const write = (item: Plain): string => {
    if (typeof item === 'string') return quote(item);
    if (Array.isArray(item)) return `[${space()}${item.map((v) => write(v) + space()).join(',')}]`;
    if (item !== null && typeof item === 'object') {
      const keys = random.chance(0.2) ? random.shuffled(Object.keys(item)) : Object.keys(item);
      return `{${keys.map((key) => `${space()}${quote(key)}${space()}:${space()}${write(item[key]!)}`).join(',')}${space()}}`;
    }
    return JSON.stringify(item);
  };
  return space() + write(value) + space();
}

/** The fields of a signed commit, as an object ready for JSON. */
export function commitOf(draft: Draft): Record<string, Plain> {
  const { enclave, from, type, content, exp, tags, alg } = draft;
  const hash = commitHash({
    enclave,
    from: from.pub,
    type,
    contentHash: contentHash(parsed(content)),
    exp,
    tags: (tags ?? []) as Tags,
  });
  return {
    hash: hex(hash),
    enclave: hex(enclave),
    from: from.hex,
    type,
    content,
    exp,
    ...(tags && { tags }),
    ...(alg && { alg }),
    sig: hex(sign(from, hash, alg)),
  };
}

export function manifestIds(
  from: Identity,
  content: Plain,
  tags: string[][] | undefined,
): { enclave: Uint8Array; seed: Uint8Array } {
  const value = parsed(content) as JsonObject;
  const bytes = value instanceof Map ? keySeed(from.pub, value, (tags ?? []) as Tags) : new Uint8Array(32);
  return { enclave: enclaveId(from.pub, contentHash(value), (tags ?? []) as Tags), seed: bytes };
}

/** Changes a signed commit so that it is nearly right: a bit of a hash or signature, another's key, a wrong algorithm. */
export function nearMiss(
  commit: Record<string, Plain>,
  draft: Draft,
  other: Identity,
  random: Random,
): Record<string, Plain> {
  const flip = (text: string): string => {
    const at = random.int(text.length);
    return (
      text.slice(0, at) +
      ((Number.parseInt(text[at]!, 16) ^ (1 << random.int(4))) >>> 0).toString(16) +
      text.slice(at + 1)
    );
  };
  const hash = new Uint8Array(Buffer.from(commit['hash'] as string, 'hex'));
  switch (random.int(12)) {
    case 0:
      return { ...commit, hash: flip(commit['hash'] as string) };
    case 1:
      return { ...commit, sig: flip(commit['sig'] as string) };
    case 2:
      return { ...commit, sig: hex(sign(other, hash, draft.alg)) };
    case 3:
      return { ...commit, from: other.hex };
    case 4:
      return { ...commit, exp: draft.exp + 1 };
    case 5:
      return { ...commit, alg: draft.alg === 'ecdsa' ? 'schnorr' : 'ecdsa' };
    case 6:
      return { ...commit, alg: 'ecdsa', sig: hex(highS(sign(draft.from, hash, 'ecdsa'))) };
    case 7:
      return { ...commit, sig: 'ff'.repeat(64) };
    case 8:
      return { ...commit, from: 'ff'.repeat(32) };
    case 9:
      return { ...commit, content: [commit['content']!] };
    case 10:
      return { ...commit, tags: [...(draft.tags ?? []), ['x']] };
    default:
      return { ...commit, type: draft.type === 'Own' ? 'Shared' : 'Own' };
  }
}
