/**
 * Steps over the chunks of an answer (RFC 9112 §7.1) that have arrived whole, from `from` on, where a chunk begins.
 * `at`: where the next one begins, or the end of the answer when `ended`.
 */
export function chunkedEnd(bytes: Buffer, from: number): { readonly at: number; readonly ended: boolean } {
  for (let at = from; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return { at, ended: false };
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    const next = line + 2 + size + 2;
    if (next > bytes.length) return { at, ended: false };
    if (size === 0) return { at: next, ended: true };
    at = next;
  }
}
