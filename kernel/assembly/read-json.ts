import { hexEncode } from './hex';
import { OUT } from './input';
import { putDecimal } from './memory';

/** Fields of JSON answers, behind what the output holds already. `name` brings its punctuation along. */

function hex(bytes: usize, n: usize): void {
  OUT.end(hexEncode(bytes, n, OUT.reserve(n * 2 + 32)));
}

export function hexField(name: string, bytes: usize, n: usize): void {
  OUT.text(name);
  hex(bytes, n);
}

export function numberField(name: string, n: i64): void {
  OUT.text(name);
  OUT.end(putDecimal(OUT.reserve(24), n));
}
