const KEY = Buffer.from('"enclave"');
const QUOTE = 0x22;
const COLON = 0x3a;
const BRACE = 0x7b;
const HEX_DIGITS = 64;

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * The enclave that a body seems to be about, as 64 digits, or null when that can't be told at a glance. Only a guess, made
 * without parsing: the first member of that name may stand deeper in the body, and the digits may be none. The shard that
 * it leads to parses the body, and says so if it is about another one (MISROUTED).
 */
export function findEnclave(body: Buffer): string | null {
  if (body[skipSpace(body, 0)] !== BRACE) return null;
  const key = body.indexOf(KEY);
  if (key < 0) return null;
  let at = skipSpace(body, key + KEY.length);
  if (body[at] !== COLON) return null;
  at = skipSpace(body, at + 1);
  if (body[at] !== QUOTE || body[at + 1 + HEX_DIGITS] !== QUOTE) return null;
  return body.toString('latin1', at + 1, at + 1 + HEX_DIGITS);
}

function skipSpace(body: Buffer, from: number): number {
  let at = from;
  while (isSpace(body[at])) at++;
  return at;
}
