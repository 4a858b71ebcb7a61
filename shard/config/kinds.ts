/** What the text of a setting may be: its value, or what to set instead ("a whole number from 0 to 65,535"). */
export interface Kind<T> {
  /** undefined = not of this kind */
  readonly parse: (text: string) => T | undefined;
  /** completes "set it to …" */
  readonly wanted: string;
  /** one word for --help */
  readonly word: string;
}

const number = (n: number): string => n.toLocaleString('en-US');

export function integer(min: number, max: number, word = 'N'): Kind<number> {
  return {
    word,
    wanted: `a whole number from ${number(min)} to ${number(max)}`,
    parse(text) {
      if (!/^\d{1,16}$/.test(text)) return undefined;
      const value = Number(text);
      return value >= min && value <= max ? value : undefined;
    },
  };
}

const UNITS: Record<string, number> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** A number of bytes, plain or with KiB, MiB, GiB, TiB. */
export function bytes(min: number, max: number): Kind<number> {
  return {
    word: 'BYTES',
    wanted: `a number of bytes from ${number(min)} to ${number(max)}, such as 8388608 or 8MiB`,
    parse(text) {
      const [, digits, unit] = /^(\d{1,16})(|KiB|MiB|GiB|TiB)$/.exec(text) ?? [];
      if (digits === undefined) return undefined;
      const value = Number(digits) * (UNITS[unit ?? ''] as number);
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** Milliseconds. */
export function milliseconds(min: number, max: number): Kind<number> {
  const kind = integer(min, max, 'MS');
  return { ...kind, wanted: `${kind.wanted} (milliseconds)` };
}

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    word: values.join('|'),
    wanted: `one of ${values.join(', ')}`,
    parse: (text) => values.find((value) => value === text),
  };
}

export function text(word: string, pattern: RegExp, wanted: string): Kind<string> {
  return { word, wanted, parse: (value) => (pattern.test(value) ? value : undefined) };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a path may not hold
export const path: Kind<string> = text('PATH', /^[^\u0000-\u001f]{1,4096}$/, 'a path');
