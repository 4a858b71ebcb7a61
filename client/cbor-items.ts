import { concat } from '../protocol/bytes.ts';
import { type Cbor, decodeCbor } from '../protocol/cbor.ts';
import { claim } from './check.ts';

/** One commit of at most 1 MiB, its JSON escaped, and its signatures. */
const MAX_ITEM = 8 * 1024 * 1024;

/** Items of a CBOR sequence (RFC 8742) as they arrive, each with its bytes. Throws Mismatch on anything else. */
export async function* cborItems(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ value: Cbor; bytes: Uint8Array }> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const chunk of source) {
    rest = rest.length === 0 ? chunk : concat(rest, chunk);
    let at = 0;
    for (;;) {
      const end = endOfItem(rest, at);
      if (end < 0) break;
      const bytes = rest.subarray(at, end);
      const value = decodeCbor(bytes);
      claim(value !== undefined, 'an item of the file is not deterministic CBOR');
      yield { value, bytes };
      at = end;
    }
    rest = rest.subarray(at);
    claim(rest.length <= MAX_ITEM, 'an item of the file is too long');
  }
  claim(rest.length === 0, 'the file ends inside an item');
}

/** Where the item that starts at `at` ends, or −1 if it is not all there. Throws Mismatch on indefinite lengths and tags. */
function endOfItem(bytes: Uint8Array, at: number): number {
  let open = 1;
  let next = at;
  while (open > 0) {
    const initial = bytes[next];
    if (initial === undefined) return -1;
    const info = initial & 31;
    claim(info < 28, 'an item of the file has an indefinite length');
    const width = info < 24 ? 0 : 1 << (info - 24);
    if (next + 1 + width > bytes.length) return -1;
    let n = info < 24 ? info : 0;
    for (let i = 0; i < width; i++) n = n * 256 + (bytes[next + 1 + i] as number);
    next += 1 + width;
    open--;
    const major = initial >> 5;
    if (major === 2 || major === 3) next += n;
    else if (major === 4) open += n;
    else if (major === 5) open += 2 * n;
    else claim(major < 2 || major === 7, 'an item of the file is tagged');
    if (next > bytes.length || open > bytes.length) return -1;
  }
  return next;
}
