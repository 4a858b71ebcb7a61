/** Seeded bodies for the inspectors: valid ones, near misses and hostile bytes. Shared by tests and fuzzing. */

/** mulberry32: small, seeded, the same on every machine. */
export function seeded(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * n);
  };
}

type Random = (n: number) => number;

const HEX = '0123456789abcdef';
const TYPES = [
  'Manifest',
  'Move',
  'Grant',
  'Revoke',
  'Transfer',
  'Gate',
  'AC_Bundle',
  'Shared',
  'Own',
  'Update',
  'Delete',
  'Pause',
  'Resume',
  'Terminate',
  'Migrate',
  'Lanes',
  'Post',
  'chat.msg:v1',
  'a-b_C',
  'x'.repeat(64),
  'x'.repeat(65),
  '',
  'é',
  'a b',
  'a/b',
  'a@b',
  'a`b',
  'a[b',
  'a{b',
] as const;
const PIECES = [
  'a',
  'key',
  'Z',
  '"',
  '\\',
  '\n',
  '\t',
  '\u0001',
  '\u001f',
  '\u007f',
  '/',
  'é',
  '€',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '😀',
  '\u{10ffff}',
  '\u0000',
] as const;
const NUMBERS = [
  '0',
  '1',
  '-1',
  '23',
  '24',
  '255',
  '256',
  '65535',
  '65536',
  '4294967295',
  '4294967296',
  '9007199254740991',
  '-9007199254740991',
  '-24',
  '-25',
] as const;
const BAD = [
  '01',
  '-0',
  '1.0',
  '1e3',
  '9007199254740992',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  'tru',
  'nul',
  '[1,]',
  '{"a":1,}',
  '{"a":1,"\\u0061":2}',
  "'a'",
  '\u00a0',
  '"\n"',
  '"\\x41"',
  '+1',
  '1 2',
  '[',
  '{',
  '"',
  '',
  'NaN',
  '{"a":0,"b":0,"a":0}',
] as const;

function pick<T>(r: Random, list: readonly T[]): T {
  return list[r(list.length)] as T;
}

export function hex(r: Random, bytes: number): string {
  return Array.from({ length: bytes * 2 }, () => pick(r, [...HEX])).join('');
}

function text(r: Random): string {
  return Array.from({ length: r(6) }, () => pick(r, PIECES)).join('') + (r(8) === 0 ? 'y'.repeat(r(300)) : '');
}

/** A JSON string, escaped in one of the ways that are allowed. */
function quoted(r: Random, value: string): string {
  if (r(4) > 0) return JSON.stringify(value);
  const escaped = Array.from({ length: value.length }, (_, i) => {
    const unit = value.charCodeAt(i).toString(16).padStart(4, '0');
    return `\\u${r(2) ? unit : unit.toUpperCase()}`;
  });
  return `"${escaped.join('')}"`;
}

function space(r: Random): string {
  return r(12) === 0 ? pick(r, [' ', '\n', '\t\r ', '  ']) : '';
}

/** Any valid JSON value of the protocol, `depth` levels deep at most. */
function value(r: Random, depth: number): string {
  const kind = r(depth > 0 ? 9 : 6);
  if (kind < 2) return quoted(r, text(r));
  if (kind < 4) return pick(r, NUMBERS);
  if (kind < 6) return pick(r, ['true', 'false', 'null', '[]', '{}']);
  if (kind === 6) return `[${Array.from({ length: r(5) }, () => space(r) + value(r, depth - 1)).join(',')}]`;
  const keys = new Set(Array.from({ length: r(r(10) === 0 ? 40 : 6) }, () => text(r) + (r(2) ? r(50) : '')));
  return object(
    r,
    [...keys].map((key) => [key, value(r, depth - 1)]),
  );
}

function object(r: Random, members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([key, v]) => `${space(r)}${quoted(r, key)}${space(r)}:${space(r)}${v}`).join(',')}${space(r)}}`;
}

function tags(r: Random): string {
  const count = r(20) === 0 ? 31 + r(3) : r(4);
  const tag = (): string => {
    const strings = Array.from({ length: r(15) === 0 ? r(10) : 1 + r(3) }, () =>
      quoted(r, r(15) === 0 ? 'é'.repeat(127 + r(3)) : text(r)),
    );
    return `[${strings.join(',')}]`;
  };
  return r(20) === 0 ? value(r, 2) : `[${Array.from({ length: count }, tag).join(',')}]`;
}

function shuffle<T>(r: Random, list: T[]): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = r(i + 1);
    [list[i], list[j]] = [list[j] as T, list[i] as T];
  }
  return list;
}

/** Changes, drops, doubles or adds a member now and then. */
function disturb(r: Random, members: [string, string][]): [string, string][] {
  const at = r(members.length);
  switch (r(12)) {
    case 0:
      members.splice(at, 1);
      break;
    case 1:
      members[at] = [members[at]?.[0] as string, r(2) ? value(r, 2) : quoted(r, hex(r, pick(r, [31, 32, 33, 64])))];
      break;
    case 2:
      members.push([
        pick(r, ['extra', 'status', 'content_hash', 'id', 'seq', '', 'Type', 'encrypted']),
        r(2) ? value(r, 1) : quoted(r, hex(r, 32)),
      ]);
      break;
    case 3:
      if (r(3) === 0) members.push(members[at] as [string, string]);
      break;
  }
  return r(2) ? shuffle(r, members) : members;
}

function content(r: Random): string {
  if (r(3) > 0) return value(r, 4);
  const members: [string, string][] = [['target', r(4) ? quoted(r, hex(r, 32)) : value(r, 1)]];
  if (r(2)) members.push(['sequencer', quoted(r, hex(r, 32))]);
  if (r(2)) members.push(['other', value(r, 2)]);
  return object(r, shuffle(r, members));
}

function commit(r: Random, enclave: string): string {
  const members: [string, string][] = [
    ['hash', quoted(r, hex(r, 32))],
    ['enclave', quoted(r, r(5) ? enclave : hex(r, 32))],
    ['from', quoted(r, hex(r, 32))],
    ['type', quoted(r, pick(r, TYPES))],
    ['content', content(r)],
    ['exp', r(10) ? String(r(2 ** 40)) : pick(r, NUMBERS)],
    ['sig', quoted(r, hex(r, 64))],
  ];
  if (r(2)) members.push(['tags', tags(r)]);
  if (r(4) === 0) members.push(['alg', quoted(r, pick(r, ['schnorr', 'ecdsa', 'rsa', 'Schnorr', '']))]);
  if (r(6) === 0) members.splice(1, 1);
  return object(r, disturb(r, members));
}

function orList(r: Random, make: () => string): string {
  if (r(3) > 0) return make();
  const n = r(20) === 0 ? 99 + r(3) : r(4);
  return `[${Array.from({ length: n }, make).join(',')}]`;
}

function numbers(r: Random): string {
  if (r(2)) return orList(r, () => pick(r, NUMBERS));
  const members = ['start_at', 'start_after', 'end_at', 'end_before']
    .filter(() => r(3) === 0)
    .map((key): [string, string] => [key, pick(r, NUMBERS)]);
  return object(r, r(10) || !members.length ? members : disturb(r, members));
}

function tagFilter(r: Random): string {
  const members = Array.from({ length: r(4) }, (_, i): [string, string] => {
    const wanted = r(3) === 0 ? pick(r, ['true', 'false', '{}']) : orList(r, () => quoted(r, text(r)));
    return [text(r).slice(0, 40) + i, wanted];
  });
  return object(r, members);
}

function filter(r: Random): string {
  const all: [string, string][] = [
    ['id', orList(r, () => quoted(r, hex(r, 32)))],
    ['seq', numbers(r)],
    ['type', orList(r, () => quoted(r, pick(r, TYPES)))],
    ['from', orList(r, () => quoted(r, hex(r, 32)))],
    ['timestamp', numbers(r)],
    ['tags', tagFilter(r)],
    ['lane', r(2) ? String(r(4)) : pick(r, NUMBERS)],
    ['limit', pick(r, ['1', '0', '100', '1000', '1001', '-1', 'null'])],
    ['reverse', pick(r, ['true', 'false', '1'])],
  ];
  const members = all.filter(() => r(4) === 0);
  return r(30) === 0 ? value(r, 2) : object(r, members.length && r(4) === 0 ? disturb(r, members) : members);
}

function stateKey(r: Random): string {
  return quoted(r, r(5) ? hex(r, 32) : hex(r, pick(r, [0, 1, 31, 33, 40, 1024, 1025])));
}

const REQUESTS = ['Query', 'Pull', 'Info', 'Sequencer', 'Inclusion', 'Bundle', 'State', 'StateBatch', 'Close'] as const;

function request(r: Random, enclave: string): string {
  const type = pick(r, REQUESTS);
  const members: [string, string][] = [];
  if (r(12)) members.push(['type', quoted(r, type)]);
  if (type !== 'Sequencer' && r(10)) members.push(['enclave', quoted(r, r(8) ? enclave : hex(r, 32))]);
  if (type !== 'Info') members.push(['from', quoted(r, hex(r, 32))]);
  if (type !== 'Info' && type !== 'Sequencer') members.push(['session', quoted(r, hex(r, r(15) ? 68 : 67))]);
  const optional = (key: string, make: () => string, odds = 2): void => {
    if (r(odds)) members.push([key, make()]);
  };
  const number = (): string => (r(2) ? String(r(1000)) : pick(r, NUMBERS));
  if (type === 'Query') optional('filter', () => filter(r), 12);
  if (type === 'Pull') {
    optional('after_seq', number);
    optional('limit', () => pick(r, ['1', '0', '1000', '1001', '50']));
  }
  if (type === 'Sequencer') {
    optional('content', () => content(r), 12);
    optional('tags', () => tags(r));
  }
  if (type === 'Inclusion' || type === 'Bundle') {
    const subject = pick(r, ['seq', 'id', 'leaf_index']);
    optional(subject, () => (subject === 'id' ? quoted(r, hex(r, 32)) : number()), 12);
    if (r(10) === 0) optional(pick(r, ['seq', 'id']), number);
    if (r(4) === 0) optional('ts', number);
  }
  if (type === 'State' || type === 'StateBatch') {
    optional('namespace', () => quoted(r, pick(r, ['rbac', 'event_status', 'kv', 'KV', ''])), 12);
    if (type === 'State') optional('key', () => stateKey(r), 12);
    else
      optional('keys', () => `[${Array.from({ length: r(15) ? r(5) : 255 + r(3) }, () => stateKey(r)).join(',')}]`, 12);
  }
  return object(r, r(3) ? members : disturb(r, members.length ? members : [['type', '"Info"']]));
}

/** A body: commits, arrays, requests, any JSON, or one of these with bytes changed. */
export function body(r: Random, enclave: string): Uint8Array {
  const kind = r(12);
  let made: string;
  if (kind < 4) made = commit(r, enclave);
  else if (kind < 8) made = request(r, enclave);
  else if (kind < 10) {
    const element = (): string => (r(6) ? commit(r, enclave) : value(r, 3));
    made = `[${Array.from({ length: r(5) }, () => space(r) + element() + space(r)).join(',')}]`;
  } else if (kind === 10) made = value(r, 6);
  else made = nested(r, enclave);
  made = space(r) + made + space(r);
  if (r(10) === 0) made = insert(r, made, pick(r, BAD));
  const bytes = new TextEncoder().encode(made);
  return r(5) === 0 ? mutate(r, bytes) : bytes;
}

/** Nesting around the limit of 32 levels. */
function nested(r: Random, enclave: string): string {
  const depth = 29 + r(5);
  const inner = r(2) ? '['.repeat(depth) + ']'.repeat(depth) : `${'{"a":'.repeat(depth)}0${'}'.repeat(depth)}`;
  const made = commit(r, enclave).replace(/"content":[^,]*/, () => `"content":${inner}`);
  return pick(r, [made, `[${made}]`, inner]);
}

function insert(r: Random, made: string, piece: string): string {
  const at = r(made.length + 1);
  return made.slice(0, at) + piece + made.slice(at);
}

function mutate(r: Random, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes;
  const at = r(bytes.length);
  switch (r(4)) {
    case 0:
      bytes[at] = r(256);
      return bytes;
    case 1:
      return bytes.slice(0, at);
    case 2:
      bytes[at] = (bytes[at] as number) ^ (1 << r(8));
      return bytes;
    default: {
      const out = new Uint8Array(bytes.length + 1);
      out.set(bytes.subarray(0, at));
      out[at] = r(2) ? r(256) : pick(r, [0xc0, 0xed, 0xf4, 0xe0, 0x80, 0x22, 0x5c, 0]);
      out.set(bytes.subarray(at), at + 1);
      return out;
    }
  }
}
