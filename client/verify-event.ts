import { type Commit as ParsedCommit, parseCommit } from '../protocol/commit.ts';
import { parseEvent, verifyEvent } from '../protocol/event.ts';
import { type Json, toJson } from '../protocol/json.ts';
import { parseReceipt, verifyReceipt } from '../protocol/receipt.ts';
import { isPredefined } from '../protocol/rules-content.ts';
import type { Verifier } from '../protocol/secp.ts';
import { claim } from './check.ts';
import type { Commit, EncEvent, Receipt } from './types.ts';

/**
 * The answer as the receipt of exactly this commit (PROTOCOL §3): same hash and enclave, accepted before `exp`, id and
 * the sequencer's signature recomputed. Whether that is the enclave's sequencer is `Trust`'s question. Throws Mismatch.
 */
export function checkReceipt(answer: unknown, commit: Commit, verifier: Verifier): Receipt {
  const receipt = parseReceipt(jsonOf(answer, 'the receipt'));
  claim(receipt, 'the receipt is malformed');
  claim(receipt.lane === undefined, 'the receipt names a lane that this enclave does not have');
  claim(receipt.enclave === commit.enclave, 'the receipt is for another enclave');
  claim(receipt.hash === commit.hash, 'the receipt is for another commit');
  claim((receipt.seq === 0) === (commit.type === 'Manifest'), 'the Manifest, and nothing else, is event 0');
  const sent = parseCommit(toJson(commit)) as ParsedCommit;
  const fault = verifyReceipt(receipt, sent, verifier);
  claim(fault === null, fault ? `the receipt does not check: ${FAULTS[fault]}` : '');
  return answer as Receipt;
}

/**
 * The value as an event of `enclave`: content hash, commit hash, the author's signature, event hash, the sequencer's
 * signature and the id, all recomputed (PROTOCOL §3). Erased content is stood for by `content_hash`. `status` is not
 * signed: it is checked for sense only. Throws Mismatch.
 */
export function checkEvent(value: unknown, enclave: string, verifier: Verifier): EncEvent {
  const event = parseEvent(jsonOf(value, 'the event'));
  claim(event, 'an event is malformed');
  const which = `event ${event.seq}`;
  claim(event.lane === undefined, `${which} names a lane that this enclave does not have`);
  claim(event.enclave === enclave, `${which} belongs to another enclave`);
  claim((event.seq === 0) === (event.type === 'Manifest'), 'the Manifest, and nothing else, is event 0');
  const erased = event.content_hash !== undefined;
  claim(
    !erased || event.status === 'deleted' || event.type === 'Update',
    `the content of ${which} is withheld though it is not deleted`,
  );
  claim(erased || event.status !== 'deleted', `${which} is called deleted, but its content is there`);
  claim(
    event.status === undefined || isCustom(event.type),
    `${which} is called ${event.status}, but a ${event.type} can't be`,
  );
  const fault = verifyEvent(event, verifier);
  claim(fault === null, fault ? `${which} does not check: ${FAULTS[fault]}` : '');
  return value as EncEvent;
}

const FAULTS = {
  invalid_hash: 'a hash or id is not that of the fields',
  invalid_signature: 'it is not signed by who it names',
  expired: 'it was accepted at or after its exp',
} as const;

/** Types that PROTOCOL §5 does not define are content, and only that can be updated or deleted. */
export function isCustom(type: string): boolean {
  return type !== 'Manifest' && !isPredefined(type);
}

function jsonOf(value: unknown, what: string): Json {
  try {
    return toJson(value);
  } catch {
    claim(false, `${what} is no JSON of this protocol`);
  }
}
