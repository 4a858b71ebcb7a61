import { claim, told } from './check.ts';
import type { Conversation } from './conversation.ts';
import type { Proofs } from './proofs.ts';
import { query } from './reading.ts';
import type { EncEvent } from './types.ts';
import { isPredefined } from './verify-event.ts';

const DELETED = '0'.repeat(64);

/**
 * Holds the `status` of content events against the state tree, and, for changes that no closed bundle covers yet,
 * against the Update and Delete events themselves. Throws NodeLied for a status that is wrong or can't be proved.
 */
export async function proveStatus(talk: Conversation, proofs: Proofs, events: readonly EncEvent[]): Promise<void> {
  const contents = events.filter((event) => !isPredefined(event.type));
  if (contents.length === 0) return;
  const { ts } = await proofs.sth();
  const proved = ts === 0 ? [] : await proofs.stateBatch(contents.map((event) => ({ event: event.id })));
  const asOf = proved[0]?.asOf ?? -1;
  const unproved = new Map<string, EncEvent>();
  for (const [i, event] of contents.entries()) {
    const value = proved[i]?.value ?? null;
    const status = value === null ? undefined : value === DELETED ? 'deleted' : 'updated';
    if (status === event.status) continue;
    const later = status !== 'deleted' && event.status !== undefined;
    told('Query', { event, proof: proved[i] }, () =>
      claim(later, `event ${event.seq} is shown ${event.status ?? 'as unchanged'}, but the state tree says that it is ${status}`),
    );
    unproved.set(event.id, event);
  }
  if (unproved.size > 0) await fromOpenEvents(talk, asOf, unproved);
}

/** Changes after the last closed bundle: shown by the events that make them. */
async function fromOpenEvents(talk: Conversation, asOf: number, unproved: Map<string, EncEvent>): Promise<void> {
  for (let after = asOf; ; ) {
    const page = await query(talk, { type: ['Update', 'Delete'], seq: { start_after: after }, limit: 1000 });
    for (const change of page) {
      const target = (change.content as { target?: string } | null)?.target ?? '';
      const event = unproved.get(target);
      if (event && event.status === (change.type === 'Delete' ? 'deleted' : 'updated')) unproved.delete(target);
    }
    if (page.length < 1000) break;
    after = (page.at(-1) as EncEvent).seq;
  }
  const [first] = unproved.values();
  told('Query', first, () => claim(!first, `nothing that you may read proves that event ${first?.seq} is ${first?.status}`));
}
