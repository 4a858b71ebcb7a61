/** One commit: shape, hashes and canonical texts, as an IC (kernel/kernel.ts, PROTOCOL §3). */
import { cborBytes32, cborHead, cborText, hashHead, TEXT, UINT } from './cbor';
import { hexDecode } from './hex';
import { ARRAY, count, field, first, INT, intValue, isString, kind, next, NULL, OBJECT, STRING, strLen, strPtr } from './json';
import { writeCbor, writeCborMap, writeJson } from './json-write';
import * as L from './layout';
import { Buf, copy32, isText, same32, zero32 } from './memory';
import { sha256 } from './sha256';

const MAX_TYPE: usize = 64;
const MAX_TAGS: u32 = 32;
const MAX_TAG_STRINGS: u32 = 8;
const MAX_TAG_BYTES: usize = 256;

/** CBOR on its way into a hash. */
// @ts-ignore: decorator
@lazy
export const PRE: Buf = changetype<Buf>(memory.data(12, 8));
// @ts-ignore: decorator
@lazy
const SENT: usize = memory.data(32, 16);
// @ts-ignore: decorator
@lazy
const DIGEST: usize = memory.data(32, 16);

/** Decodes a string node of 2n lower-case hex digits; false if it is anything else. */
export function hexNode(node: usize, n: usize, out: usize): bool {
  return kind(node) == STRING && strLen(node) == n << 1 && hexDecode(strPtr(node), n, out);
}

/** 1–64 of `A-Z a-z 0-9 _ . : -`. */
export function isType(p: usize, len: usize): bool {
  if (len - 1 >= MAX_TYPE) return false;
  for (let i: usize = 0; i < len; i++) {
    const c = <u32>load<u8>(p + i);
    if ((c | 0x20) - 0x61 < 26 || c - 0x30 <= 10 || c == 0x5f || c == 0x2d || c == 0x2e) continue;
    return false;
  }
  return true;
}

/** At most 32 arrays of 1–8 strings, each at most 256 bytes of UTF-8. */
export function areTags(node: usize): bool {
  if (kind(node) != ARRAY || count(node) > MAX_TAGS) return false;
  let tag = first(node);
  for (let i = count(node); i; i--) {
    if (kind(tag) != ARRAY || count(tag) - 1 >= MAX_TAG_STRINGS) return false;
    let s = first(tag);
    for (let j = count(tag); j; j--) {
      if (kind(s) != STRING || strLen(s) > MAX_TAG_BYTES) return false;
      s = next(s);
    }
    tag = next(tag);
  }
  return true;
}

/** `tags` as a field of a pre-image; 0: not sent, which is `[]`. */
// @ts-ignore: decorator
@inline
function putTags(p: usize, tags: usize): usize {
  if (tags) return writeCbor(tags, p);
  store<u8>(p, 0x80);
  return p + 1;
}

/** Number of a predefined type (TYPES of kernel/kernel.ts), 0 for any other name. */
export function typeNumber(p: usize, len: usize): u32 {
  const c = <u32>load<u8>(p);
  switch (len) {
    case 3:
      return isText(p, len, 'Own') ? L.T_OWN : 0;
    case 4:
      if (c == 0x4d) return isText(p, len, 'Move') ? L.T_MOVE : 0;
      return isText(p, len, 'Gate') ? L.T_GATE : 0;
    case 5:
      if (c == 0x47) return isText(p, len, 'Grant') ? L.T_GRANT : 0;
      if (c == 0x50) return isText(p, len, 'Pause') ? L.T_PAUSE : 0;
      return isText(p, len, 'Lanes') ? L.T_LANES : 0;
    case 6:
      if (c == 0x53) return isText(p, len, 'Shared') ? L.T_SHARED : 0;
      if (c == 0x55) return isText(p, len, 'Update') ? L.T_UPDATE : 0;
      if (c == 0x44) return isText(p, len, 'Delete') ? L.T_DELETE : 0;
      if (isText(p, len, 'Revoke')) return L.T_REVOKE;
      return isText(p, len, 'Resume') ? L.T_RESUME : 0;
    case 7:
      return isText(p, len, 'Migrate') ? L.T_MIGRATE : 0;
    case 8:
      if (c == 0x4d) return isText(p, len, 'Manifest') ? L.T_MANIFEST : 0;
      return isText(p, len, 'Transfer') ? L.T_TRANSFER : 0;
    case 9:
      if (c == 0x41) return isText(p, len, 'AC_Bundle') ? L.T_AC_BUNDLE : 0;
      return isText(p, len, 'Terminate') ? L.T_TERMINATE : 0;
  }
  return 0;
}

/** The key node of an object's member, or 0. */
function keyOf(object: usize, name: string): usize {
  let n = first(object);
  for (let i = count(object); i; i--) {
    if (isText(strPtr(n), strLen(n), name)) return n;
    n = next(next(n));
  }
  return 0;
}

/** H(0x16, from, sha256(CBOR(content without "sequencer")), tags) of PROTOCOL §3. PRE has room for both encodings. */
export function keySeed(from: usize, content: usize, tags: usize, out: usize): void {
  const at = PRE.ptr;
  const without = kind(content) == OBJECT ? keyOf(content, 'sequencer') : 0;
  let p = without ? writeCborMap(content, at, without) : writeCbor(content, at);
  sha256(at, p - at, DIGEST);
  p = hashHead(at, 0x16, 3);
  p = cborBytes32(p, from);
  p = cborBytes32(p, DIGEST);
  p = putTags(p, tags);
  sha256(at, p - at, out);
}

/** Refuses: an IC of 16 bytes with the code. */
export function putError(out: Buf, code: u32, offset: usize, length: usize): void {
  const ic = out.reserve(16);
  store<u32>(ic, 16);
  store<u32>(ic, code, 4);
  store<u32>(ic, <u32>offset, 8);
  store<u32>(ic, <u32>length, 12);
  out.len += 16;
}

/**
 * Appends the IC of the commit at `node` (any value), whose text is `length` bytes at `offset` of the body. `enclave`: the
 * id of the path, or 0. `snapshot`: `content_hash` may stand for erased content.
 */
export function putCommit(out: Buf, node: usize, offset: usize, length: usize, enclave: usize, snapshot: bool): void {
  if (kind(node) != OBJECT) return putError(out, L.E_INVALID_COMMIT, offset, length);
  const ic = out.reserve(L.IC_TEXT + MAX_TYPE + length + 32);
  let type: usize = 0;
  let content: usize = 0;
  let tags: usize = 0;
  let flags: u32 = 0;
  let seen: u32 = 0;
  let ok: bool = true;
  let key = first(node);
  for (let i = count(node); i; i--) {
    const p = strPtr(key);
    const v = next(key);
    switch (strLen(key)) {
      case 3: {
        const name = load<u32>(p) & 0xffffff;
        if (name == 0x707865) {
          // exp
          ok &= kind(v) == INT && intValue(v) >= 0;
          store<i64>(ic, intValue(v), L.IC_EXP);
          seen |= 1;
        } else if (name == 0x676973) {
          // sig
          ok &= hexNode(v, 64, ic + L.IC_SIG);
          seen |= 2;
        } else if (name == 0x676c61) {
          // alg
          flags |= L.FLAG_ALG;
          if (isString(v, 'ecdsa')) flags |= L.FLAG_ECDSA;
          else ok &= isString(v, 'schnorr');
        } else ok = false;
        break;
      }
      case 4: {
        const name = load<u32>(p);
        if (name == 0x68736168) {
          // hash
          ok &= hexNode(v, 32, SENT);
          seen |= 4;
        } else if (name == 0x6d6f7266) {
          // from
          ok &= hexNode(v, 32, ic + L.IC_FROM);
          seen |= 8;
        } else if (name == 0x65707974) {
          // type
          ok &= kind(v) == STRING && isType(strPtr(v), strLen(v));
          type = v;
          seen |= 16;
        } else if (name == 0x73676174) {
          // tags
          ok &= areTags(v);
          tags = v;
          flags |= L.FLAG_TAGS;
        } else ok = false;
        break;
      }
      case 7: {
        if (isText(p, 7, 'content')) {
          content = v;
          seen |= 32;
        } else if (isText(p, 7, 'enclave')) {
          ok &= hexNode(v, 32, ic + L.IC_ENCLAVE);
          if (enclave) ok &= same32(enclave, ic + L.IC_ENCLAVE);
          seen |= 64;
        } else ok = false;
        break;
      }
      default:
        ok &= snapshot && isText(p, strLen(key), 'content_hash') && hexNode(v, 32, ic + L.IC_CONTENT_HASH);
        flags |= L.FLAG_ERASED;
    }
    if (!ok) break;
    key = next(v);
  }
  if (!(seen & 64) && enclave) {
    copy32(ic + L.IC_ENCLAVE, enclave);
    seen |= 64;
  }
  const erased = (flags & L.FLAG_ERASED) != 0;
  if (!ok || seen != 127 || (erased && kind(content) != NULL)) {
    return putError(out, L.E_INVALID_COMMIT, offset, length);
  }

  hashCommit(ic, type, content, tags, length, erased);
  if (same32(SENT, ic + L.IC_HASH)) flags |= L.FLAG_HASH_OK;
  const number = typeNumber(strPtr(type), strLen(type));
  if (putTarget(number, ic + L.IC_FROM, erased ? 0 : content, tags, ic + L.IC_TARGET)) flags |= L.FLAG_TARGET;
  if (number == L.T_MANIFEST && isEnclaveId(ic, tags)) flags |= L.FLAG_ENCLAVE_OK;

  store<u16>(ic, 0, L.IC_ERROR);
  store<u8>(ic, flags, L.IC_FLAGS);
  store<u8>(ic, number, L.IC_TYPE);
  store<u32>(ic, <u32>offset, 8);
  store<u32>(ic, <u32>length, 12);
  let p = ic + L.IC_TEXT;
  const n = strLen(type);
  memory.copy(p, strPtr(type), n);
  p += n;
  store<u32>(ic, <u32>n, L.IC_TYPE_LENGTH);
  let q = tags ? writeJson(tags, p) : p;
  store<u32>(ic, <u32>(q - p), L.IC_TAGS_LENGTH);
  p = erased ? q : writeJson(content, q);
  store<u32>(ic, <u32>(p - q), L.IC_CONTENT_LENGTH);
  store<u32>(ic, 0, L.IC_CONTENT_LENGTH + 4);
  store<u64>(p, 0);
  const size = (p - ic + 7) & ~7;
  store<u32>(ic, <u32>size);
  out.len += size;
}

// @ts-ignore: decorator
@inline
function hasTarget(number: u32): bool {
  return (number >= L.T_MOVE && number <= L.T_TRANSFER) || number == L.T_UPDATE || number == L.T_DELETE;
}

/**
 * What a content points at (kernel/kernel.ts, `target` of an IC): 32 bytes, zero and false without one. `content`: its
 * node, 0 when erased. For a Manifest PRE must have room, as for `keySeed`.
 */
export function putTarget(number: u32, from: usize, content: usize, tags: usize, out: usize): bool {
  zero32(out);
  if (!content) return false;
  if (number == L.T_MANIFEST) {
    keySeed(from, content, tags, out);
    return true;
  }
  if (kind(content) != OBJECT || !hasTarget(number)) return false;
  const target = field(content, 'target');
  if (!target) return false;
  if (hexNode(target, 32, out)) return true;
  zero32(out);
  return false;
}

/** content_hash (unless erased) and hash = H(0x10, enclave, from, type, content_hash, exp, tags) into the IC. */
function hashCommit(ic: usize, type: usize, content: usize, tags: usize, length: usize, erased: bool): void {
  PRE.clear();
  const at = PRE.reserve(length * 2 + 512);
  let p = at;
  if (!erased) sha256(at, writeCbor(content, at) - at, ic + L.IC_CONTENT_HASH);
  p = hashHead(at, 0x10, 6);
  p = cborBytes32(p, ic + L.IC_ENCLAVE);
  p = cborBytes32(p, ic + L.IC_FROM);
  p = cborText(p, strPtr(type), strLen(type));
  p = cborBytes32(p, ic + L.IC_CONTENT_HASH);
  p = cborHead(p, UINT, load<u64>(ic, L.IC_EXP));
  p = putTags(p, tags);
  sha256(at, p - at, ic + L.IC_HASH);
}

/** Does the Manifest's `enclave` equal H(0x12, from, "Manifest", content_hash, tags)? */
function isEnclaveId(ic: usize, tags: usize): bool {
  let p = hashHead(PRE.ptr, 0x12, 4);
  p = cborBytes32(p, ic + L.IC_FROM);
  p = cborHead(p, TEXT, 8);
  store<u64>(p, 0x74736566696e614d); // Manifest
  p = cborBytes32(p + 8, ic + L.IC_CONTENT_HASH);
  p = putTags(p, tags);
  sha256(PRE.ptr, p - PRE.ptr, DIGEST);
  return same32(DIGEST, ic + L.IC_ENCLAVE);
}
