import { be32, concat } from '../protocol/bytes.ts';
import { sessionPlainMessage } from '../protocol/hash.ts';
import { toHex, unhex } from '../protocol/hex.ts';
import { SESSION_LIFETIME } from '../protocol/limits.ts';
import type { Clock } from './clock.ts';
import type { Key } from './keys.ts';

/**
 * Plain session tokens (PROTOCOL §8), one a sequencer, made anew before they end. Each is for half of the time allowed,
 * so that the clocks of client and node may differ.
 */
export class Sessions {
  private readonly clock: Clock;
  private readonly kept = new Map<string, { token: string; expires: number }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  async token(sequencer: string, key: Key): Promise<string> {
    const now = Math.floor(this.clock.now() / 1000);
    const kept = this.kept.get(sequencer);
    if (kept && kept.expires - now > SESSION_LIFETIME / 8) return kept.token;
    const expires = now + SESSION_LIFETIME / 2;
    const token = toHex(concat(await key.sign(sessionPlainMessage(unhex(sequencer), expires)), be32(expires)));
    this.kept.set(sequencer, { token, expires });
    return token;
  }
}
