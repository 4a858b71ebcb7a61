/** Every small change to a JSON value: what a lying node could do to one answer. */
export interface Mutation {
  /** Where and what, such as `events.2.sig flip first`. */
  readonly name: string;
  readonly value: unknown;
}

type Path = readonly (string | number)[];

/** All mutations of `value`, each a fresh copy; those that change nothing are left out. */
export function* mutations(value: unknown): Generator<Mutation> {
  const before = JSON.stringify(value);
  for (const [name, change] of changes(value, [])) {
    const copy = { root: structuredClone(value) };
    change(copy);
    if (JSON.stringify(copy.root) !== before) yield { name, value: copy.root };
  }
}

type Change = (copy: { root: unknown }) => void;

function* changes(value: unknown, path: Path): Generator<[string, Change]> {
  const at = path.join('.') || 'answer';
  for (const [what, other] of replacements(value)) yield [`${at} ${what}`, (copy) => set(copy, path, other)];
  if (Array.isArray(value)) {
    for (const [what, other] of lists(value)) yield [`${at} ${what}`, (copy) => set(copy, path, other)];
    for (const [i, item] of value.entries()) yield* changes(item, [...path, i]);
  } else if (typeof value === 'object' && value !== null) {
    yield [`${at} add a field`, (copy) => set(copy, path, { ...value, extra: 1 })];
    for (const [key, item] of Object.entries(value)) {
      const { [key]: _dropped, ...rest } = value as Record<string, unknown>;
      yield [`${at} drop ${key}`, (copy) => set(copy, path, rest)];
      yield* changes(item, [...path, key]);
    }
    yield* swaps(value as Record<string, unknown>, path);
  }
}

function* replacements(value: unknown): Generator<[string, unknown]> {
  if (typeof value === 'string') {
    yield ['empty', ''];
    yield ['longer', `${value}0`];
    if (/^[0-9a-f]{2,}$/.test(value)) {
      yield ['flip first', flip(value, 0)];
      yield ['flip last', flip(value, value.length - 1)];
      yield ['upper case', value.toUpperCase()];
      yield ['zero', '0'.repeat(value.length)];
      yield ['shorter', value.slice(0, -2)];
    }
  } else if (typeof value === 'number') {
    yield ['plus one', value + 1];
    yield ['minus one', value - 1];
    yield ['as text', String(value)];
    yield ['fraction', value + 0.5];
  } else if (typeof value === 'boolean') yield ['negated', !value];
  else if (value === null) yield ['not null', '00'.repeat(32)];
  if (value !== null) yield ['null', null];
}

function* lists(value: readonly unknown[]): Generator<[string, unknown]> {
  if (value.length > 0) {
    yield ['empty list', []];
    yield ['without first', value.slice(1)];
    yield ['without last', value.slice(0, -1)];
    yield ['last repeated', [...value, value.at(-1)]];
  }
  if (value.length > 1) {
    yield ['reversed', [...value].reverse()];
    yield ['first two swapped', [value[1], value[0], ...value.slice(2)]];
  }
  if (value.length > 2) yield ['without second', [value[0], ...value.slice(2)]];
  if (value.every((item) => typeof item === 'string')) yield ['one more', [...value, '11'.repeat(32)]];
}

/** Two fields of one shape, exchanged. */
function* swaps(value: Record<string, unknown>, path: Path): Generator<[string, Change]> {
  const entries = Object.entries(value).filter(([, item]) => typeof item === 'string' || typeof item === 'number');
  for (const [i, [a, first]] of entries.entries()) {
    const twin = entries
      .slice(i + 1)
      .find(([, second]) => typeof second === typeof first && String(second).length === String(first).length);
    if (twin)
      yield [
        `${path.join('.') || 'answer'} swap ${a} and ${twin[0]}`,
        (copy) => set(copy, path, { ...value, [a]: twin[1], [twin[0]]: first }),
      ];
  }
}

function flip(hex: string, at: number): string {
  const digit = (Number.parseInt(hex[at] as string, 16) ^ 1).toString(16);
  return hex.slice(0, at) + digit + hex.slice(at + 1);
}

function set(copy: { root: unknown }, path: Path, value: unknown): void {
  let at: Record<string | number, unknown> = copy as unknown as Record<string, unknown>;
  for (const [i, key] of (['root', ...path] as const).entries()) {
    if (i === path.length) at[key] = value;
    else at = at[key] as Record<string | number, unknown>;
  }
}
