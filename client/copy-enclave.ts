import { sha256 } from '@noble/hashes/sha2.js';
import { utf8 } from '../protocol/bytes.ts';
import { type Cbor, encodeCbor } from '../protocol/cbor.ts';
import { commitJson, parseCommit } from '../protocol/commit.ts';
import { unhex } from '../protocol/hex.ts';
import { toJson } from '../protocol/json.ts';
import type { Conversation } from './conversation.ts';
import type { Proofs } from './proofs.ts';
import { pull } from './reading.ts';
import type { EncEvent, Inclusion } from './types.ts';

/**
 * A snapshot (PROTOCOL §10) made of what any reader of everything can pull: events, bundle boundaries and the tree head.
 * No admin token is needed, so every such reader is a backup. Yields the file's bytes. The times of earlier closings are
 * known to the node only; those of their last events stand in, which no signature covers.
 */
export async function* copyEnclave(
  talk: Conversation,
  proofs: Proofs,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const sth = await proofs.sth();
  const { head } = await talk.info();
  const sum = sha256.create();
  const item = (value: Cbor): Uint8Array => {
    const bytes = encodeCbor(value);
    sum.update(bytes);
    return bytes;
  };
  const header: Record<string, Cbor> = {
    format: 'enc-snapshot',
    v: 1,
    enclave: unhex(talk.enclave),
    sequencer: unhex(sth.sequencer),
    head,
    bundles: sth.ts,
    created: talk.clock.now(),
  };
  yield item(new Map(Object.entries(header)));
  let bundle = 0;
  let leaf: Inclusion | undefined;
  for await (const event of pull(talk, { complete: true, signal })) {
    if (event.seq > head) break;
    yield item(eventItem(event));
    if (bundle === sth.ts) continue;
    leaf ??= await proofs.inclusion({ leaf_index: bundle }, sth);
    if (leaf.first_seq + leaf.bundle_size - 1 > event.seq) continue;
    const t = bundle === sth.ts - 1 ? sth.t : event.timestamp;
    yield item([1, bundle, leaf.first_seq, leaf.bundle_size, t]);
    bundle++;
    leaf = undefined;
  }
  yield encodeCbor([2, new Map<string, Cbor>(Object.entries(sth)), sum.digest()]);
}

function eventItem(event: EncEvent): Cbor {
  const { timestamp, sequencer, seq, seq_sig, id: _id, status: _status, ...commit } = event;
  const parsed = parseCommit(toJson(commit), { erasable: true });
  if (!parsed) throw new Error('an event that was checked holds no commit');
  return [0, utf8(commitJson(parsed)), timestamp, seq, unhex(sequencer), unhex(seq_sig)];
}
