import { type Filter as ParsedFilter, parseFilter } from '../protocol/filter.ts';
import { toJson } from '../protocol/json.ts';
import { MAX_LIMIT } from '../protocol/limits.ts';
import { claim, is, isSeq, shaped, told } from './check.ts';
import type { Conversation } from './conversation.ts';
import { matches } from './matches.ts';
import type { EncEvent, Filter } from './types.ts';
import { checkEvent } from './verify-event.ts';

export interface PullOptions {
  /** Events after this seq; default −1: from the beginning. */
  readonly afterSeq?: number | undefined;
  /** Go on with new events, for ever. */
  readonly follow?: boolean | undefined;
  /** Events per request, 1–1000. */
  readonly pageSize?: number | undefined;
  /** This reader reads everything: a missing event is a lie, not a lack of rights. */
  readonly complete?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the head that each page names. */
  readonly onHead?: ((head: number) => void) | undefined;
}

/** Pause of a follower, ms: at first, and at most, while nothing new comes. */
const FOLLOW = { first: 200, most: 5_000 } as const;

export interface QueryOptions {
  /**
   * Have `status` of content events proved by the state tree. Without it, that an event was updated or deleted, or was
   * not, is the node's word: the field is not signed.
   */
  readonly proveStatus?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Events that match, each fully checked, in the order asked for. A node can leave events out without being caught
 * here (it decides what you may read); `pull` with `complete`, or `verifyEnclave`, closes that.
 */
export async function query(talk: Conversation, filter: Filter = {}, options: QueryOptions = {}): Promise<EncEvent[]> {
  const parsed = parseFilter(toJson(filter));
  if (!parsed) throw new TypeError('The filter is malformed: see PROTOCOL §9 for its fields.');
  const answer = await talk.askAs('/', { type: 'Query', filter }, options.signal);
  const events = told('Query', answer, () => {
    const { events } = shaped<{ events: unknown[] }>(answer, 'the answer', {
      type: is('Response'),
      events: Array.isArray,
    });
    return checkPage(talk, events, parsed);
  });
  await admitAll(talk, 'Query', events);
  return events;
}

/** Every readable event in seq order, page by page (PROTOCOL §9, Pull). */
export async function* pull(talk: Conversation, options: PullOptions = {}): AsyncGenerator<EncEvent, void, undefined> {
  const limit = options.pageSize ?? MAX_LIMIT;
  let after = options.afterSeq ?? -1;
  let last: EncEvent | undefined;
  let head = -1;
  let pause: number = FOLLOW.first;
  for (;;) {
    const page = await pullPage(talk, after, limit, options, { last, head });
    head = page.head;
    options.onHead?.(head);
    yield* page.events;
    last = page.events.at(-1) ?? last;
    // The cursor moves only to what was seen: a head that is a lie must not make us skip events.
    after = page.events.at(-1)?.seq ?? after;
    if (page.events.length === limit) continue;
    if (!options.follow) return;
    pause = page.events.length > 0 ? FOLLOW.first : Math.min(FOLLOW.most, pause * 1.5);
    await talk.clock.sleep(pause * (0.75 + talk.clock.random() / 2), options.signal);
  }
}

async function pullPage(
  talk: Conversation,
  after: number,
  limit: number,
  options: PullOptions,
  before: { last?: EncEvent | undefined; head: number },
): Promise<{ events: EncEvent[]; head: number }> {
  await talk.settle();
  // As known when asking: what other calls learn meanwhile is no measure for this answer.
  const known = Math.max(before.head, talk.trust.head?.seq ?? -1);
  const answer = await talk.askAs('/', { type: 'Pull', after_seq: after, limit }, options.signal);
  const page = told('Pull', answer, () => {
    const { events, head } = shaped<{ events: unknown[]; head: number }>(answer, 'the answer', {
      type: is('Response'),
      events: Array.isArray,
      head: isSeq,
    });
    const checked = checkPage(
      talk,
      events,
      parseFilter(toJson({ seq: { start_after: after }, limit })) as ParsedFilter,
    );
    const first = checked[0];
    claim(
      !before.last || !first || first.timestamp >= before.last.timestamp,
      'the time goes back from one page to the next',
    );
    claim(head >= known, `the head is ${head}, but it was ${known} before`);
    claim((checked.at(-1)?.seq ?? -1) <= head, 'an event is beyond the head');
    if (options.complete) {
      for (const [i, event] of checked.entries())
        claim(event.seq === after + 1 + i, `event ${after + 1 + i} is missing`);
      claim(
        checked.length === limit || after + checked.length >= head,
        `event ${after + checked.length + 1} is missing`,
      );
    }
    return { events: checked, head };
  });
  await admitAll(talk, 'Pull', page.events);
  return page;
}

/** Each event for itself, then against the filter, and their order: seq strictly one way, time in step. */
function checkPage(talk: Conversation, values: readonly unknown[], filter: ParsedFilter): EncEvent[] {
  claim(values.length <= filter.limit, `${values.length} events, but at most ${filter.limit} were asked for`);
  const events = values.map((value) => checkEvent(value, talk.enclave, talk.secp));
  let before: EncEvent | undefined;
  for (const event of events) {
    claim(matches(filter, event), `event ${event.seq} does not match the filter`);
    if (before) {
      const [low, high] = filter.reverse ? [event, before] : [before, event];
      claim(low.seq < high.seq, `event ${event.seq} is repeated or out of order`);
      claim(low.timestamp <= high.timestamp, `the times of events ${low.seq} and ${high.seq} contradict their order`);
    }
    before = event;
  }
  return events;
}

async function admitAll(talk: Conversation, call: string, events: readonly EncEvent[]): Promise<void> {
  for (const event of events) await talk.admit(call, event);
  await talk.trust.save();
}
