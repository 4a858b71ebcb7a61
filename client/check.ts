import { NodeLied } from './errors.ts';

/** A statement about an answer that turned out false. `told` makes a `NodeLied` of it. */
export class Mismatch extends Error {}

/** Goes on only if `holds`; `what` says what is wrong otherwise ("the seq is not …"). */
export function claim(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Mismatch(what);
}

/** Runs checks over an answer to `call`; a Mismatch in them becomes NodeLied with the answer as evidence. */
export function told<T>(call: string, answer: unknown, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof Mismatch) throw new NodeLied(call, error.message, answer);
    throw error;
  }
}

type Test = (value: unknown) => boolean;
export type Shape = Readonly<Record<string, Test>>;

export const isSeq: Test = (v) => Number.isSafeInteger(v) && (v as number) >= 0 && !Object.is(v, -0);
export const isHex = (bytes: number): Test => {
  const pattern = new RegExp(`^[0-9a-f]{${bytes * 2}}$`);
  return (v) => typeof v === 'string' && pattern.test(v);
};
export const isId: Test = isHex(32);
export const isText: Test = (v) => typeof v === 'string';
export const is =
  (...values: unknown[]): Test =>
  (v) =>
    values.includes(v);
export const isListOf =
  (test: Test): Test =>
  (v) =>
    Array.isArray(v) && v.every(test);

/** `value` as an object with exactly these fields (a key ending in `?` may be absent), each passing its test. */
export function shaped<T>(value: unknown, what: string, shape: Shape): T {
  claim(typeof value === 'object' && value !== null && !Array.isArray(value), `${what} is not an object`);
  const found = value as Record<string, unknown>;
  let known = 0;
  for (const key of Object.keys(shape)) {
    const optional = key.endsWith('?');
    const name = optional ? key.slice(0, -1) : key;
    if (!Object.hasOwn(found, name)) {
      claim(optional, `${what} has no "${name}"`);
      continue;
    }
    known++;
    claim((shape[key] as Test)(found[name]), `"${name}" of ${what} is malformed`);
  }
  claim(
    known === Object.keys(found).length,
    `${what} has a field that does not belong there: ${Object.keys(found)
      .filter((k) => !(k in shape) && !(`${k}?` in shape))
      .join(', ')}`,
  );
  return value as T;
}
