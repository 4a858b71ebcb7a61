import { viewOf } from '../../protocol/bytes.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { getU64, setU64 } from '../../protocol/records.ts';

const ROW = 48;

/** Hashes of accepted commits whose `exp` has not passed: what makes a retry the same commit (PROTOCOL §3). */
export class Recents {
  private readonly rows = new Map<string, { exp: number; seq: number }>();

  /** seq of the accepted commit with this hash, −1 if it is none (any more) */
  seqOf(hash: Uint8Array): number {
    return this.rows.get(toHex(hash))?.seq ?? -1;
  }

  add(hash: Uint8Array, exp: number, seq: number): void {
    this.rows.set(toHex(hash), { exp, seq });
  }

  /** Forgets what is expired at the head's timestamp: no such hash passes the check of `exp` again. */
  purge(timestamp: number): void {
    for (const [hash, { exp }] of this.rows) if (exp <= timestamp) this.rows.delete(hash);
  }

  get size(): number {
    return this.rows.size;
  }

  /** (hash32, u64 exp, u64 seq) by seq, of those with fromSeq ≤ seq ≤ toSeq and exp > timestamp. */
  write(fromSeq: number, toSeq: number, timestamp: number): Uint8Array {
    const rows = [...this.rows].filter(([, { exp, seq }]) => seq >= fromSeq && seq <= toSeq && exp > timestamp);
    rows.sort(([, a], [, b]) => a.seq - b.seq);
    const out = new Uint8Array(ROW * rows.length);
    const view = viewOf(out);
    for (const [i, [hash, { exp, seq }]] of rows.entries()) {
      out.set(unhex(hash), ROW * i);
      setU64(view, ROW * i + 32, exp);
      setU64(view, ROW * i + 40, seq);
    }
    return out;
  }

  /** Throws if the bytes are not whole rows. */
  read(bytes: Uint8Array, timestamp: number): void {
    if (bytes.length % ROW !== 0) throw new Error('recent commits that are not whole rows');
    const view = viewOf(bytes);
    for (let at = 0; at < bytes.length; at += ROW) {
      const exp = getU64(view, at + 32);
      if (exp > timestamp) this.add(bytes.subarray(at, at + 32), exp, getU64(view, at + 40));
    }
  }
}
