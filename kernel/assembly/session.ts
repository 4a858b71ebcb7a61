import { hostVerify } from './host';
import * as L from './layout';
import { copy32, putText } from './memory';
import { sha256 } from './sha256';
import { SEQUENCER } from './state';

/** "enc:session:plain:" || sequencer || be32(expires) */
const PRE: usize = memory.data(64, 16);
const HASH: usize = memory.data(32, 16);
putText(PRE, 'enc:session:plain:');
const TEXT: usize = 18;
const LEEWAY: i64 = 60;
const LIFETIME: i64 = 7200;

/**
 * Checks the plain session token of a request at `now` (ms; compared in whole seconds), in the order of PROTOCOL §8:
 * signature, too old, too far ahead. It must name the sequencer whose events come next. 0 or an error number.
 */
export function sessionError(request: usize, now: f64): i32 {
  const token = request + L.Q_SESSION;
  copy32(PRE + TEXT, SEQUENCER);
  store<u32>(PRE, load<u32>(token, 64), TEXT + 32);
  sha256(PRE, TEXT + 36, HASH);
  if (!hostVerify(0, request + L.Q_FROM, HASH, token)) return L.E_INVALID_SESSION;
  const expires = <i64>bswap<u32>(load<u32>(token, 64));
  const seconds = <i64>Math.floor(now / 1000);
  if (expires < seconds - LEEWAY) return L.E_SESSION_EXPIRED;
  return expires > seconds + LIFETIME + LEEWAY ? L.E_INVALID_SESSION : 0;
}
