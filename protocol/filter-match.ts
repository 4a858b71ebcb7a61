import { utf8 } from './bytes.ts';
import type { Filter, NumberFilter, TagFilter } from './filter.ts';
import { toHex } from './hex.ts';
import { isArray, type Json, parseJson } from './json.ts';
import type { EventRecord } from './records.ts';

/**
 * Does an event match a filter (PROTOCOL §9)? All conditions must hold, each list by any of its values. The content plays
 * no part, so a deleted event goes on matching.
 *
 * Where PROTOCOL is silent: every name in `tags` must be matched; a value is compared with the tag's second string, so
 * a tag of one string matches only `true`; an event with several tags of one name matches if any of them does.
 */
export function matchesFilter(filter: Filter, event: EventRecord): boolean {
  return (
    (filter.lane === null || event.lane === filter.lane) &&
    (filter.seq === null || matchesNumber(filter.seq, event.seq)) &&
    (filter.time === null || matchesNumber(filter.time, event.timestamp)) &&
    (filter.types === null || filter.types.includes(event.type)) &&
    (filter.froms === null || filter.froms.includes(toHex(event.from))) &&
    (filter.ids === null || filter.ids.includes(toHex(event.id))) &&
    (filter.tags === null || matchesTags(filter.tags, event.tags))
  );
}

function matchesNumber(filter: NumberFilter, n: number): boolean {
  return filter.values.length > 0 ? filter.values.includes(n) : n >= filter.from && n <= filter.to;
}

/** `tags`: canonical JSON, '' if the commit had none. */
function matchesTags(filters: readonly TagFilter[], tags: string): boolean {
  const parsed: Json = tags === '' ? [] : (parseJson(utf8(tags))?.value ?? []);
  const rows = isArray(parsed) ? parsed.filter(isArray) : [];
  return filters.every(({ name, values }) =>
    rows.some(
      ([first, second]) =>
        first === name && (values === null || (typeof second === 'string' && values.includes(second))),
    ),
  );
}
