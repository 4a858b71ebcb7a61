import type { NumberFilter, Filter as ParsedFilter } from '../protocol/filter.ts';
import type { EncEvent } from './types.ts';

/** Does the event answer the filter (PROTOCOL §9)? All conditions must hold; limit and order are not looked at. */
export function matches(filter: ParsedFilter, event: EncEvent): boolean {
  return (
    has(filter.ids, event.id) &&
    has(filter.froms, event.from) &&
    has(filter.types, event.type) &&
    within(filter.seq, event.seq) &&
    within(filter.time, event.timestamp) &&
    (filter.lane === null || filter.lane === 0) &&
    (filter.tags ?? []).every(({ name, values }) =>
      (event.tags ?? []).some(
        ([first, second]) => first === name && (values === null || (second !== undefined && values.includes(second))),
      ),
    )
  );
}

function has(list: readonly string[] | null, value: string): boolean {
  return list === null || list.includes(value);
}

function within(numbers: NumberFilter | null, value: number): boolean {
  if (numbers === null) return true;
  if (numbers.values.length > 0) return numbers.values.includes(value);
  return value >= numbers.from && value <= numbers.to;
}
