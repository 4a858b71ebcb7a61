import { sha256 } from '@noble/hashes/sha2.js';
import { type Cbor, encodeCbor, isCborArray } from '../protocol/cbor.ts';
import { cborItems } from './cbor-items.ts';

const EVENT = 0;
const CLOSING = 1;

/** The beginning of an enclave's history: so many events and closed bundles, and what tells them from all others. */
export interface Beginning {
  readonly events: number;
  readonly bundles: number;
  readonly digest: Uint8Array;
}

/**
 * Digest of the first `events` events and `bundles` closings of an `.enc` file (PROTOCOL §10): of the sequencer's
 * signature over each event, which pins it, and of each boundary; contents apart, which may be deleted since. Ends
 * the source as soon as it has seen them. Counts what was there, if that was less.
 */
export async function beginning(
  source: AsyncIterable<Uint8Array>,
  { events, bundles }: { events: number; bundles: number },
): Promise<Beginning> {
  const [ofEvents, ofBundles] = [sha256.create(), sha256.create()];
  let [seen, closed] = [0, 0];
  for await (const { value } of cborItems(source)) {
    if (!isCborArray(value)) continue;
    const [kind, ...fields] = value as readonly Cbor[];
    if (kind === EVENT && seen < events) {
      // Without the commit's text and, of an erased Update, its target.
      ofEvents.update(encodeCbor(fields.slice(1, 5)));
      seen++;
    } else if (kind === CLOSING && closed < bundles) {
      ofBundles.update(encodeCbor(fields.slice(0, 3)));
      closed++;
    }
    if (seen === events && closed === bundles) break;
  }
  return {
    events: seen,
    bundles: closed,
    digest: sha256(new Uint8Array([...ofEvents.digest(), ...ofBundles.digest()])),
  };
}
