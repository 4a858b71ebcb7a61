/** The raw keys of the KV namespace: one of the four CBOR forms of PROTOCOL §6. */
import { isType } from './inspect-commit';
import { utf8 } from './json';
import { isText } from './memory';

export const NOT_KV: u32 = 0;
export const KV_SHARED: u32 = 1;
export const KV_OWN: u32 = 2;
export const KV_GATE: u32 = 3;
export const KV_STATUS: u32 = 4;

/** The longest: CBOR(["shared", key]) or CBOR(["own", key, from]) with a key of 256 bytes. */
export const MAX_KV_KEY: usize = 299;
const MAX_NAME: usize = 256;

/** Name (slot key or alias) of the key that `kvKind` saw last, and the address of the author of an own slot. */
export let kvName: usize = 0;
export let kvNameLen: usize = 0;
export let kvFrom: usize = 0;

/** Which of the forms these bytes are exactly, with a slot key of 1–256 bytes or an alias. */
export function kvKind(p: usize, len: usize): u32 {
  if (len < 2 || len > MAX_KV_KEY) return NOT_KV;
  const items = <u32>load<u8>(p);
  const end = p + len;
  if (items < 0x81 || items > 0x83) return NOT_KV;
  const word = p + 2;
  const wordLen = <usize>load<u8>(p, 1) - 0x60;
  if (wordLen > 6 || word + wordLen > end) return NOT_KV;
  if (isText(word, wordLen, 'status')) return items == 0x81 && word + wordLen == end ? KV_STATUS : NOT_KV;
  if (items == 0x81) return NOT_KV;
  const behind = name(word + wordLen, end);
  if (!behind) return NOT_KV;
  if (isText(word, wordLen, 'gate')) {
    return items == 0x82 && behind == end && isType(kvName, kvNameLen) ? KV_GATE : NOT_KV;
  }
  if (isText(word, wordLen, 'shared')) return items == 0x82 && behind == end ? KV_SHARED : NOT_KV;
  if (!isText(word, wordLen, 'own') || items != 0x83 || behind + 34 != end || load<u16>(behind) != 0x2058) return NOT_KV;
  kvFrom = behind + 2;
  return KV_OWN;
}

/** A text string of 1–256 bytes of UTF-8 in its shortest form; the address behind it, or 0. */
function name(p: usize, end: usize): usize {
  if (p >= end) return 0;
  let n = <usize>load<u8>(p++) - 0x60;
  if (n == 24) {
    n = load<u8>(p++);
    if (n < 24) return 0;
  } else if (n == 25) {
    n = bswap<u16>(load<u16>(p));
    if (n < 256) return 0;
    p += 2;
  } else if (n > 23) return 0;
  if (!n || n > MAX_NAME || p + n > end) return 0;
  kvName = p;
  kvNameLen = n;
  const stop = p + n;
  while (p < stop) {
    const step: usize = load<u8>(p) < 0x80 ? 1 : utf8(p);
    if (!step) return 0;
    p += step;
  }
  return p == stop ? stop : 0;
}
