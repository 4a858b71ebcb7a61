/** SHA-256 (FIPS 180-4). Sixteen rounds are written out, so that state and schedule stay in registers. */

// @ts-ignore: decorator
@lazy
export const K: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

// @ts-ignore: decorator
@inline
function S0(x: u32): u32 {
  return rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22);
}
// @ts-ignore: decorator
@inline
function S1(x: u32): u32 {
  return rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25);
}
// @ts-ignore: decorator
@inline
function s0(x: u32): u32 {
  return rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3);
}
// @ts-ignore: decorator
@inline
function s1(x: u32): u32 {
  return rotr(x, 17) ^ rotr(x, 19) ^ (x >> 10);
}
// @ts-ignore: decorator
@inline
function ch(e: u32, f: u32, g: u32): u32 {
  return ((f ^ g) & e) ^ g;
}
// @ts-ignore: decorator
@inline
function maj(a: u32, b: u32, c: u32): u32 {
  return (a & b) | ((a | b) & c);
}
// @ts-ignore: decorator
@inline
function be(v: v128): v128 {
  return v128.shuffle<u8>(v, v, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** Folds `n` blocks of 64 bytes into the state (8 × u32). */
function compress(state: usize, p: usize, n: usize): void {
  let A = load<u32>(state), B = load<u32>(state, 4), C = load<u32>(state, 8), D = load<u32>(state, 12);
  let E = load<u32>(state, 16), F = load<u32>(state, 20), G = load<u32>(state, 24), H = load<u32>(state, 28);
  for (; n; n--, p += 64) {
    let a = A, b = B, c = C, d = D, e = E, f = F, g = G, h = H;
    const m0 = be(v128.load(p, 0));
    const m1 = be(v128.load(p, 16));
    const m2 = be(v128.load(p, 32));
    const m3 = be(v128.load(p, 48));
    let w0 = i32x4.extract_lane(m0, 0);
    let w1 = i32x4.extract_lane(m0, 1);
    let w2 = i32x4.extract_lane(m0, 2);
    let w3 = i32x4.extract_lane(m0, 3);
    let w4 = i32x4.extract_lane(m1, 0);
    let w5 = i32x4.extract_lane(m1, 1);
    let w6 = i32x4.extract_lane(m1, 2);
    let w7 = i32x4.extract_lane(m1, 3);
    let w8 = i32x4.extract_lane(m2, 0);
    let w9 = i32x4.extract_lane(m2, 1);
    let w10 = i32x4.extract_lane(m2, 2);
    let w11 = i32x4.extract_lane(m2, 3);
    let w12 = i32x4.extract_lane(m3, 0);
    let w13 = i32x4.extract_lane(m3, 1);
    let w14 = i32x4.extract_lane(m3, 2);
    let w15 = i32x4.extract_lane(m3, 3);
    h += S1(e) + ch(e, f, g) + load<u32>(K, 0) + w0;
    d += h;
    h += S0(a) + maj(a, b, c);
    g += S1(d) + ch(d, e, f) + load<u32>(K, 4) + w1;
    c += g;
    g += S0(h) + maj(h, a, b);
    f += S1(c) + ch(c, d, e) + load<u32>(K, 8) + w2;
    b += f;
    f += S0(g) + maj(g, h, a);
    e += S1(b) + ch(b, c, d) + load<u32>(K, 12) + w3;
    a += e;
    e += S0(f) + maj(f, g, h);
    d += S1(a) + ch(a, b, c) + load<u32>(K, 16) + w4;
    h += d;
    d += S0(e) + maj(e, f, g);
    c += S1(h) + ch(h, a, b) + load<u32>(K, 20) + w5;
    g += c;
    c += S0(d) + maj(d, e, f);
    b += S1(g) + ch(g, h, a) + load<u32>(K, 24) + w6;
    f += b;
    b += S0(c) + maj(c, d, e);
    a += S1(f) + ch(f, g, h) + load<u32>(K, 28) + w7;
    e += a;
    a += S0(b) + maj(b, c, d);
    h += S1(e) + ch(e, f, g) + load<u32>(K, 32) + w8;
    d += h;
    h += S0(a) + maj(a, b, c);
    g += S1(d) + ch(d, e, f) + load<u32>(K, 36) + w9;
    c += g;
    g += S0(h) + maj(h, a, b);
    f += S1(c) + ch(c, d, e) + load<u32>(K, 40) + w10;
    b += f;
    f += S0(g) + maj(g, h, a);
    e += S1(b) + ch(b, c, d) + load<u32>(K, 44) + w11;
    a += e;
    e += S0(f) + maj(f, g, h);
    d += S1(a) + ch(a, b, c) + load<u32>(K, 48) + w12;
    h += d;
    d += S0(e) + maj(e, f, g);
    c += S1(h) + ch(h, a, b) + load<u32>(K, 52) + w13;
    g += c;
    c += S0(d) + maj(d, e, f);
    b += S1(g) + ch(g, h, a) + load<u32>(K, 56) + w14;
    f += b;
    b += S0(c) + maj(c, d, e);
    a += S1(f) + ch(f, g, h) + load<u32>(K, 60) + w15;
    e += a;
    a += S0(b) + maj(b, c, d);
    for (let k: usize = K + 64; k < K + 256; k += 64) {
      w0 += s0(w1) + w9 + s1(w14);
      h += S1(e) + ch(e, f, g) + load<u32>(k, 0) + w0;
      d += h;
      h += S0(a) + maj(a, b, c);
      w1 += s0(w2) + w10 + s1(w15);
      g += S1(d) + ch(d, e, f) + load<u32>(k, 4) + w1;
      c += g;
      g += S0(h) + maj(h, a, b);
      w2 += s0(w3) + w11 + s1(w0);
      f += S1(c) + ch(c, d, e) + load<u32>(k, 8) + w2;
      b += f;
      f += S0(g) + maj(g, h, a);
      w3 += s0(w4) + w12 + s1(w1);
      e += S1(b) + ch(b, c, d) + load<u32>(k, 12) + w3;
      a += e;
      e += S0(f) + maj(f, g, h);
      w4 += s0(w5) + w13 + s1(w2);
      d += S1(a) + ch(a, b, c) + load<u32>(k, 16) + w4;
      h += d;
      d += S0(e) + maj(e, f, g);
      w5 += s0(w6) + w14 + s1(w3);
      c += S1(h) + ch(h, a, b) + load<u32>(k, 20) + w5;
      g += c;
      c += S0(d) + maj(d, e, f);
      w6 += s0(w7) + w15 + s1(w4);
      b += S1(g) + ch(g, h, a) + load<u32>(k, 24) + w6;
      f += b;
      b += S0(c) + maj(c, d, e);
      w7 += s0(w8) + w0 + s1(w5);
      a += S1(f) + ch(f, g, h) + load<u32>(k, 28) + w7;
      e += a;
      a += S0(b) + maj(b, c, d);
      w8 += s0(w9) + w1 + s1(w6);
      h += S1(e) + ch(e, f, g) + load<u32>(k, 32) + w8;
      d += h;
      h += S0(a) + maj(a, b, c);
      w9 += s0(w10) + w2 + s1(w7);
      g += S1(d) + ch(d, e, f) + load<u32>(k, 36) + w9;
      c += g;
      g += S0(h) + maj(h, a, b);
      w10 += s0(w11) + w3 + s1(w8);
      f += S1(c) + ch(c, d, e) + load<u32>(k, 40) + w10;
      b += f;
      f += S0(g) + maj(g, h, a);
      w11 += s0(w12) + w4 + s1(w9);
      e += S1(b) + ch(b, c, d) + load<u32>(k, 44) + w11;
      a += e;
      e += S0(f) + maj(f, g, h);
      w12 += s0(w13) + w5 + s1(w10);
      d += S1(a) + ch(a, b, c) + load<u32>(k, 48) + w12;
      h += d;
      d += S0(e) + maj(e, f, g);
      w13 += s0(w14) + w6 + s1(w11);
      c += S1(h) + ch(h, a, b) + load<u32>(k, 52) + w13;
      g += c;
      c += S0(d) + maj(d, e, f);
      w14 += s0(w15) + w7 + s1(w12);
      b += S1(g) + ch(g, h, a) + load<u32>(k, 56) + w14;
      f += b;
      b += S0(c) + maj(c, d, e);
      w15 += s0(w0) + w8 + s1(w13);
      a += S1(f) + ch(f, g, h) + load<u32>(k, 60) + w15;
      e += a;
      a += S0(b) + maj(b, c, d);
    }
    A += a;
    B += b;
    C += c;
    D += d;
    E += e;
    F += f;
    G += g;
    H += h;
  }
  store<u32>(state, A);
  store<u32>(state, B, 4);
  store<u32>(state, C, 8);
  store<u32>(state, D, 12);
  store<u32>(state, E, 16);
  store<u32>(state, F, 20);
  store<u32>(state, G, 24);
  store<u32>(state, H, 28);
}

// State 32 bytes, then 128 for the tail.
// @ts-ignore: decorator
@lazy
const ONE: usize = memory.data(160, 16);

/** `tail` holds the last `have` (< 64) bytes and has room for 128. */
function finish(state: usize, tail: usize, have: usize, total: u64, out: usize): void {
  store<u8>(tail + have, 0x80);
  const end: usize = have < 56 ? 56 : 120;
  memory.fill(tail + have + 1, 0, end - have - 1);
  store<u64>(tail + end, bswap<u64>(total << 3));
  compress(state, tail, (end + 8) >> 6);
  v128.store(out, be(v128.load(state)));
  v128.store(out, be(v128.load(state, 16)), 16);
}

/** `out` (32 bytes, may overlap the input) = sha256 of `len` bytes. */
export function sha256(src: usize, len: usize, out: usize): void {
  store<u64>(ONE, 0xbb67ae856a09e667);
  store<u64>(ONE, 0xa54ff53a3c6ef372, 8);
  store<u64>(ONE, 0x9b05688c510e527f, 16);
  store<u64>(ONE, 0x5be0cd191f83d9ab, 24);
  const blocks = len >> 6;
  if (blocks) compress(ONE, src, blocks);
  const have = len & 63;
  const tail = ONE + 32;
  for (let i: usize = 0; i < have; i += 16) v128.store(tail + i, v128.load(src + (blocks << 6) + i));
  finish(ONE, tail, have, len, out);
}
