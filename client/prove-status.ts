import { claim, told } from './check.ts';
import type { Conversation } from './conversation.ts';
import type { Proofs } from './proofs.ts';
import { query } from './reading.ts';
import type { EncEvent } from './types.ts';
import { isCustom } from './verify-event.ts';

const DELETED = '0'.repeat(64);

/**
 * Holds the `status` of content events against the state tree, and, for changes that no closed bundle covers yet,
 * against the Update and Delete events themselves. An event that was changed since the query is read again. Returns the
 * events; throws NodeLied for a status that is wrong or can't be proved.
 */
export async function proveStatus(
  talk: Conversation,
  proofs: Proofs,
  events: readonly EncEvent[],
): Promise<EncEvent[]> {
  const contents = events.filter((event) => isCustom(event.type));
  if (contents.length === 0) return [...events];
  const { ts } = await proofs.sth();
  const proved = ts === 0 ? [] : await proofs.stateBatch(contents.map((event) => ({ event: event.id })));
  const unproved = new Map<string, EncEvent>();
  const fresh = new Map<string, EncEvent>();
  for (const [i, shown] of contents.entries()) {
    const value = proved[i]?.value ?? null;
    const status = value === null ? undefined : value === DELETED ? 'deleted' : 'updated';
    let event = shown;
    if (!isAtLeast(event.status, status)) {
      const [again] = await query(talk, { id: event.id });
      told('Query', { shown, again, proof: proved[i] }, () =>
        claim(
          again && isAtLeast(again.status, status),
          `event ${event.seq} is shown ${event.status ?? 'as unchanged'}, but the state tree says that it is ${status}`,
        ),
      );
      event = again as EncEvent;
      fresh.set(event.id, event);
    }
    if (event.status !== status) unproved.set(event.id, event);
  }
  if (unproved.size > 0) await fromOpenEvents(talk, proved[0]?.asOf ?? -1, unproved);
  return events.map((event) => fresh.get(event.id) ?? event);
}

const ORDER = [undefined, 'updated', 'deleted'];

/** A status only ever goes forward: what is shown may be ahead of the last closed bundle, not behind it. */
function isAtLeast(shown: EncEvent['status'], proved: EncEvent['status']): boolean {
  return ORDER.indexOf(shown) >= ORDER.indexOf(proved);
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
  told('Query', first, () =>
    claim(!first, `nothing that you may read proves that event ${first?.seq} is ${first?.status}`),
  );
}
