import { type Key, keyOf, session } from './protocol.js';

/** An enclave that can be read, with a session that was good when the load began. */
export interface Readable {
  readonly enclave: string;
  readonly sequencer: string;
  readonly session: string;
  /** Unix seconds */
  readonly expires: number;
}

/** PROTOCOL §8 */
const LIFETIME_S = 7200;
/** A session is renewed so long before it ends. */
const EARLY_S = 300;

const now = (): number => Math.floor(Date.now() / 1000);

/** A session of `key`, which takes k6 some 30 ms. */
export function readable(key: Key, enclave: string, sequencer: string): Readable {
  const expires = now() + LIFETIME_S;
  return { enclave, sequencer, session: session(key, sequencer, expires), expires };
}

/** The sessions of one VU: those that it was given, and in a load of hours new ones. */
export class Sessions {
  readonly #renewed = new Map<string, Readable>();

  /** `secret` of the reader, hex32 */
  of(given: Readable, secret: string): string {
    let one = this.#renewed.get(given.enclave) ?? given;
    if (one.expires - EARLY_S < now()) {
      one = readable(keyOf(secret), given.enclave, given.sequencer);
      this.#renewed.set(given.enclave, one);
    }
    return one.session;
  }
}
