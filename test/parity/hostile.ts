import type { Plain } from './commits.ts';
import type { Random } from './random.ts';

const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));

/** Texts that stand in for a JSON value: each at or just over a rule of PROTOCOL §1. */
const VALUES = [
  '9007199254740991',
  '-9007199254740991',
  '9007199254740992',
  '-9007199254740992',
  '99999999999999999999',
  '-0',
  '0',
  '00',
  '01',
  '1.0',
  '1e3',
  '1E0',
  '0.5',
  '.5',
  '-',
  '+1',
  '--1',
  'null',
  'true',
  'false',
  'nul',
  'True',
  'NaN',
  'Infinity',
  '""',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\ud83d\\ude00"',
  '"\\u00e9"',
  '"\\x41"',
  '"\\u12"',
  '"\t"',
  '"\\u0000"',
  '"\\/"',
  '[]',
  '{}',
  '[,]',
  '[1,]',
  '{"a":1,}',
  '{"a":1,"a":2}',
  '{"a":1,"\\u0061":2}',
  '{a:1}',
  "'a'",
  '[1 2]',
  '{"":0}',
  '{"b":1,"a":2,"\\ud83d\\ude00":3,"\\ufb33":4}',
  '"é"',
  '"\u2028"',
];

/** `depth` levels of nesting. */
const nested = (depth: number, random: Random): string =>
  random.chance(0.5) ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

/** The JSON of `value` with one value somewhere replaced, a key dropped, renamed, doubled or added. */
export function mutateJson(value: Plain, random: Random): string {
  const marks: string[] = [];
  const mark = (text: string): string => {
    marks.push(text);
    return `\ue000${marks.length - 1}\ue000`;
  };
  const odd = (): string =>
    random.weighted({ value: 6, depth: 1, long: 1, hex: 1 }) === 'value'
      ? random.pick(VALUES)
      : random.pick([
          nested(random.pick([28, 29, 30, 31, 32, 33]), random),
          JSON.stringify('x'.repeat(random.pick([63, 64, 65, 255, 256, 257, 5000]))),
          JSON.stringify('ä'.repeat(random.pick([127, 128, 129]))),
          JSON.stringify('AB'.repeat(32)),
          JSON.stringify('0'.repeat(random.pick([63, 64, 65, 128, 136]))),
          `[${Array.from({ length: random.pick([31, 32, 33, 100, 101, 256, 257]) }, (_, i) => `"${i}"`).join(',')}]`,
        ]);
  const edit = (item: Plain, depth: number): string => {
    const isObject = item !== null && typeof item === 'object' && !Array.isArray(item);
    const container = isObject || (Array.isArray(item) && item.length > 0);
    if (!container || random.chance(depth === 0 ? 0.05 : 0.4)) return mark(odd());
    if (Array.isArray(item)) {
      const at = random.int(item.length);
      const parts = item.map((v, i) => (i === at ? edit(v, depth + 1) : JSON.stringify(v)));
      if (random.chance(0.2)) parts.push(parts[0]!);
      return `[${parts.join(',')}]`;
    }
    const keys = Object.keys(item as object);
    const at = random.int(Math.max(1, keys.length));
    const kind = random.weighted({ edit: 6, drop: 1, rename: 0.5, double: 0.4, add: 1 });
    const parts = keys.flatMap((key, i) => {
      const v = JSON.stringify((item as Record<string, Plain>)[key]!);
      if (i !== at) return [`${JSON.stringify(key)}:${v}`];
      if (kind === 'drop') return [];
      if (kind === 'rename')
        return [`${JSON.stringify(random.pick([`${key}_`, key.toUpperCase(), '', 'a/b~c']))}:${v}`];
      if (kind === 'double') return [`${JSON.stringify(key)}:${v}`, `${JSON.stringify(key)}:${v}`];
      if (kind === 'add')
        return [
          `${JSON.stringify(key)}:${v}`,
          `${JSON.stringify(random.pick(['zz', 'encrypted', 'lane', 'seq', 'content_hash', 'ts', 'limit', 'reverse', '']))}:${odd()}`,
        ];
      return [`${JSON.stringify(key)}:${edit((item as Record<string, Plain>)[key]!, depth + 1)}`];
    });
    return `{${parts.join(',')}}`;
  };
  const text = edit(value, 0);
  return text.replaceAll(/\ue000(\d+)\ue000/g, (_all, index) => marks[Number(index)]!);
}

/** The bytes with something done to them that no well-meaning client does. */
export function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.int(bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (random.int(10)) {
    case 0:
      return before.slice();
    case 1:
      return new Uint8Array([...before, random.int(256), ...after]);
    case 2:
      return new Uint8Array([...before, ...after.subarray(1)]);
    case 3: {
      const copy = bytes.slice();
      if (at < copy.length) copy[at] = copy[at]! ^ (1 << random.int(8));
      return copy;
    }
    case 4:
      return new Uint8Array([...encode('\ufeff'), ...bytes]);
    case 5:
      return new Uint8Array([...bytes, ...encode(random.pick([' ', '\n', 'x', '{}', ',', '\0']))]);
    case 6:
      return new Uint8Array([
        ...before,
        ...random.pick([
          [0xc0, 0xaf],
          [0xed, 0xa0, 0x80],
          [0xf4, 0x90, 0x80, 0x80],
          [0xe2, 0x82],
          [0xff],
          [0xc3, 0xa9],
          [0xef, 0xbf, 0xbf],
        ]),
        ...after,
      ]);
    case 7:
      return new Uint8Array([...before, ...before.subarray(Math.max(0, at - 20)), ...after]);
    case 8:
      return random.bytes(random.int(64));
    default:
      return encode(
        random.pick([
          ...VALUES,
          nested(random.pick([31, 32, 33, 200]), random),
          '',
          ' ',
          '[[]]',
          '[{}]',
          '[null,{}]',
          '{"exp":1}',
          '{"type":"Nothing"}',
          '{"type":1}',
        ]),
      );
  }
}
