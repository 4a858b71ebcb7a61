import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concat, utf8 } from './bytes.ts';
import { canonical, isObject, type Json, parseJson, toJson, toPlain } from './json.ts';

function refused(text: string | Uint8Array): void {
  const bytes = typeof text === 'string' ? utf8(text) : text;
  assert.equal(parseJson(bytes), null, String(text));
}

function value(text: string): Json {
  const parsed = parseJson(utf8(text));
  assert.ok(parsed, text);
  return parsed.value;
}

test('numbers other than plain integers within ±(2^53−1) are refused', () => {
  for (const text of [
    '1.0',
    '1.5',
    '1e3',
    '1E0',
    '-0',
    '00',
    '01',
    '-01',
    '+1',
    '.5',
    '1.',
    '-',
    '0x10',
    'NaN',
    'Infinity',
    '1_0',
  ])
    refused(text);
  for (const text of ['9007199254740992', '-9007199254740992', '9007199254740993', `1${'0'.repeat(400)}`])
    refused(text);
  assert.equal(value('9007199254740991'), Number.MAX_SAFE_INTEGER);
  assert.equal(value('-9007199254740991'), Number.MIN_SAFE_INTEGER);
  assert.equal(value('0'), 0);
});

test('duplicate keys are refused, also when they are written differently', () => {
  for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"x":{"":1,"":2}}', '{"__proto__":1,"__proto__":1}'])
    refused(text);
});

test('lone surrogates are refused', () => {
  for (const text of [
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud800x"',
    '"\\ud800\\ud800"',
    '"\\ud800\\u0041"',
    '"\\udc00\\ud800"',
    '{"\\ud800":1}',
    '"\\ud800\\n"',
  ]) {
    refused(text);
  }
  assert.equal(value('"\\ud83d\\ude00"'), '😀');
});

test('invalid UTF-8 and a byte-order mark are refused', () => {
  const quoted = (...bytes: number[]): Uint8Array => Uint8Array.of(0x22, ...bytes, 0x22);
  for (const bytes of [
    [0xff],
    [0x80],
    [0xc0, 0x80],
    [0xc1, 0xbf],
    [0xe0, 0x80, 0x80],
    [0xed, 0xa0, 0x80],
    [0xed, 0xbf, 0xbf],
    [0xf0, 0x80, 0x80, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xc3],
    [0xe2, 0x82],
  ]) {
    refused(quoted(...bytes));
  }
  refused(concat(Uint8Array.of(0xef, 0xbb, 0xbf), utf8('{}')));
  assert.equal(value('"\ufeff"'), '\ufeff');
});

test('control characters, unknown escapes and unfinished strings are refused', () => {
  for (const text of [
    '"\n"',
    '"\t"',
    '"\0"',
    '"\u001f"',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\u 123"',
    '"\\u+123"',
    '"\\U0041"',
    '"',
    '"\\',
    '"\\"',
    "'a'",
  ])
    refused(text);
  assert.equal(value('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u00E9"'), '"\\/\b\f\n\r\téé');
  assert.equal(value('"\u007f"'), '\u007f');
});

test('structure faults and trailing bytes are refused', () => {
  for (const text of [
    '',
    ' ',
    '{',
    '[',
    '}',
    '{"a"}',
    '{"a":}',
    '{a:1}',
    '{"a":1,}',
    '[1,]',
    '[,1]',
    '[1 2]',
    '{"a":1 "b":2}',
    '{} {}',
    '1 1',
    'nul',
    'nulll',
    'True',
    '[]]',
    '{}\0',
    '\u00a0{}',
    '\u000b1',
    '//\n1',
  ]) {
    refused(text);
  }
});

test('depth 32 passes, 33 does not; the array around commits is no level', () => {
  const nested = (depth: number, inner = ''): string =>
    `${'{"a":'.repeat(depth - 1)}{${inner}}${'}'.repeat(depth - 1)}`;
  value(nested(32));
  refused(nested(33));
  refused(nested(32, '"a":[]'));
  value(nested(31, '"a":[1]'));
  value(`[${nested(32)},${nested(32)}]`);
  refused(`[${nested(33)}]`);
  value(`[${'['.repeat(32)}${']'.repeat(32)}]`);
  refused(`[${'['.repeat(33)}${']'.repeat(33)}]`);
  assert.equal(parseJson(utf8('['.repeat(200_000))), null);
  assert.ok(parseJson(utf8(nested(33)), 33));
});

test('no key is special', () => {
  const parsed = value('{"__proto__":{"x":1},"constructor":2,"2":3,"1":4}');
  assert.ok(isObject(parsed));
  assert.deepEqual([...parsed.keys()], ['__proto__', 'constructor', '2', '1']);
  assert.equal(({} as { x?: number }).x, undefined);
  assert.equal(canonical(parsed), '{"1":4,"2":3,"__proto__":{"x":1},"constructor":2}');
  assert.deepEqual(Object.keys(toPlain(parsed) as object), ['1', '2', '__proto__', 'constructor']);
});

test('spans name the text of the value and of each element, in bytes', () => {
  const text = ' [ {"é":1} ,\n"x" , 12 ] ';
  const bytes = utf8(text);
  const parsed = parseJson(bytes);
  assert.ok(parsed);
  const cut = (span: { start: number; end: number }): string =>
    new TextDecoder().decode(bytes.subarray(span.start, span.end));
  assert.equal(cut(parsed), text.trim());
  assert.deepEqual(parsed.elements.map(cut), ['{"é":1}', '"x"', '12']);
});

test('canonical JSON sorts keys by UTF-16 code unit and escapes as RFC 8785', () => {
  const text = '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}';
  assert.equal(canonical(value(text)), '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}');
  assert.equal(canonical(value('"\\u0000\\u001F\\u007f\\u2028\\/"')), '"\\u0000\\u001f\u007f\u2028/"');
});

test('toJson refuses what is no JSON of ours', () => {
  for (const bad of [1.5, -0, Number.NaN, 2 ** 53, '\ud800', undefined, 1n, () => 0, { '\udc00': 1 }, [undefined]]) {
    assert.throws(() => toJson(bad), TypeError);
  }
  assert.equal(canonical(toJson({ b: [1, null, true], a: { x: undefined } })), '{"a":{},"b":[1,null,true]}');
});

const seed = 20260701;
test(`what canonical writes is read back as the same value (seed ${seed})`, () => {
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constant(null),
      fc.boolean(),
      fc.maxSafeInteger(),
      fc.string({ unit: 'binary' }),
      fc.array(tie('value')),
      fc.dictionary(fc.string({ unit: 'binary' }), tie('value')),
    ),
  })).value;
  fc.assert(
    fc.property(json, (plain) => {
      const made = toJson(JSON.parse(JSON.stringify(plain), (_, v) => (Object.is(v, -0) ? 0 : v)));
      const text = canonical(made);
      const parsed = parseJson(utf8(text), 40);
      assert.ok(parsed, text);
      assert.equal(canonical(parsed.value), text);
    }),
    { seed, numRuns: 300 },
  );
});

test(`arbitrary bytes never throw and never pass where JSON.parse fails (seed ${seed})`, () => {
  const soup = fc.array(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"a"',
      '\\',
      '\\u',
      'd800',
      '0',
      '1',
      '-',
      '.',
      'e',
      'true',
      'null',
      ' ',
      '\n',
      'é',
      '\0',
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(soup, (parts) => {
      const text = parts.join('');
      if (parseJson(utf8(text)) !== null) JSON.parse(text);
    }),
    { seed, numRuns: 5000 },
  );
});
