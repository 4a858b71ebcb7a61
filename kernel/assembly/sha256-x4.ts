import { K } from './sha256';

/** SHA-256 of four messages at once: one lane of each vector belongs to each message. */

const START: usize = memory.data<u32>(
  [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19], 16,
);
/** The message schedule: 64 vectors. */
const W: usize = memory.data(64 * 16, 16);

// @ts-ignore: decorator
@inline
function add(x: v128, y: v128): v128 {
  return i32x4.add(x, y);
}

// @ts-ignore: decorator
@inline
function rotate(x: v128, n: i32): v128 {
  return v128.or(i32x4.shr_u(x, n), i32x4.shl(x, 32 - n));
}

// @ts-ignore: decorator
@inline
function S0(x: v128): v128 {
  return v128.xor(v128.xor(rotate(x, 2), rotate(x, 13)), rotate(x, 22));
}

// @ts-ignore: decorator
@inline
function S1(x: v128): v128 {
  return v128.xor(v128.xor(rotate(x, 6), rotate(x, 11)), rotate(x, 25));
}

// @ts-ignore: decorator
@inline
function s0(x: v128): v128 {
  return v128.xor(v128.xor(rotate(x, 7), rotate(x, 18)), i32x4.shr_u(x, 3));
}

// @ts-ignore: decorator
@inline
function s1(x: v128): v128 {
  return v128.xor(v128.xor(rotate(x, 17), rotate(x, 19)), i32x4.shr_u(x, 10));
}

// @ts-ignore: decorator
@inline
function big(p: usize): v128 {
  const x = v128.load(p);
  return v128.shuffle<u8>(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** Rows of four words to columns of four words: the words of one vector then belong to four messages. */
// @ts-ignore: decorator
@inline
function transpose(r0: v128, r1: v128, r2: v128, r3: v128, to: usize): void {
  const low01 = v128.shuffle<u32>(r0, r1, 0, 4, 1, 5);
  const high01 = v128.shuffle<u32>(r0, r1, 2, 6, 3, 7);
  const low23 = v128.shuffle<u32>(r2, r3, 0, 4, 1, 5);
  const high23 = v128.shuffle<u32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<u64>(low01, low23, 0, 2));
  v128.store(to, v128.shuffle<u64>(low01, low23, 1, 3), 16);
  v128.store(to, v128.shuffle<u64>(high01, high23, 0, 2), 32);
  v128.store(to, v128.shuffle<u64>(high01, high23, 1, 3), 48);
}

/**
 * Digests of the four messages at `at`, `at + stride`, …, to `out`, 32 bytes each. The messages are padded already: each
 * is `blocks` blocks of 64 bytes.
 */
export function sha256x4(at: usize, stride: usize, blocks: u32, out: usize): void {
  let A = v128.load32_splat(START);
  let B = v128.load32_splat(START, 4);
  let C = v128.load32_splat(START, 8);
  let D = v128.load32_splat(START, 12);
  let E = v128.load32_splat(START, 16);
  let F = v128.load32_splat(START, 20);
  let G = v128.load32_splat(START, 24);
  let H = v128.load32_splat(START, 28);
  for (; blocks; blocks--) {
    for (let i: usize = 0; i < 64; i += 16) {
      const p = at + i;
      transpose(big(p), big(p + stride), big(p + stride * 2), big(p + stride * 3), W + (i << 2));
    }
    for (let w = W; w < W + 48 * 16; w += 16) {
      const next = add(add(v128.load(w), s0(v128.load(w, 16))), add(v128.load(w, 144), s1(v128.load(w, 224))));
      v128.store(w, next, 256);
    }
    let a = A;
    let b = B;
    let c = C;
    let d = D;
    let e = E;
    let f = F;
    let g = G;
    let h = H;
    let k = K;
    for (let w = W; w < W + 64 * 16; w += 128) {
      h = add(h, S1(e));
      h = add(h, v128.bitselect(f, g, e));
      h = add(h, add(v128.load32_splat(k), v128.load(w)));
      d = add(d, h);
      h = add(h, add(S0(a), v128.bitselect(c, b, v128.xor(a, b))));
      g = add(g, S1(d));
      g = add(g, v128.bitselect(e, f, d));
      g = add(g, add(v128.load32_splat(k, 4), v128.load(w, 16)));
      c = add(c, g);
      g = add(g, add(S0(h), v128.bitselect(b, a, v128.xor(h, a))));
      f = add(f, S1(c));
      f = add(f, v128.bitselect(d, e, c));
      f = add(f, add(v128.load32_splat(k, 8), v128.load(w, 32)));
      b = add(b, f);
      f = add(f, add(S0(g), v128.bitselect(a, h, v128.xor(g, h))));
      e = add(e, S1(b));
      e = add(e, v128.bitselect(c, d, b));
      e = add(e, add(v128.load32_splat(k, 12), v128.load(w, 48)));
      a = add(a, e);
      e = add(e, add(S0(f), v128.bitselect(h, g, v128.xor(f, g))));
      d = add(d, S1(a));
      d = add(d, v128.bitselect(b, c, a));
      d = add(d, add(v128.load32_splat(k, 16), v128.load(w, 64)));
      h = add(h, d);
      d = add(d, add(S0(e), v128.bitselect(g, f, v128.xor(e, f))));
      c = add(c, S1(h));
      c = add(c, v128.bitselect(a, b, h));
      c = add(c, add(v128.load32_splat(k, 20), v128.load(w, 80)));
      g = add(g, c);
      c = add(c, add(S0(d), v128.bitselect(f, e, v128.xor(d, e))));
      b = add(b, S1(g));
      b = add(b, v128.bitselect(h, a, g));
      b = add(b, add(v128.load32_splat(k, 24), v128.load(w, 96)));
      f = add(f, b);
      b = add(b, add(S0(c), v128.bitselect(e, d, v128.xor(c, d))));
      a = add(a, S1(f));
      a = add(a, v128.bitselect(g, h, f));
      a = add(a, add(v128.load32_splat(k, 28), v128.load(w, 112)));
      e = add(e, a);
      a = add(a, add(S0(b), v128.bitselect(d, c, v128.xor(b, c))));
      k += 32;
    }
    A = add(A, a);
    B = add(B, b);
    C = add(C, c);
    D = add(D, d);
    E = add(E, e);
    F = add(F, f);
    G = add(G, g);
    H = add(H, h);
    at += 64;
  }
  transpose(A, B, C, D, W);
  transpose(E, F, G, H, W + 64);
  for (let i: usize = 0; i < 4; i++) {
    v128.store(out + (i << 5), big(W + (i << 4)));
    v128.store(out + (i << 5), big(W + 64 + (i << 4)), 16);
  }
}
