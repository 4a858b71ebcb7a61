import { TYPES } from '../../kernel/kernel.ts';
import type { Plain } from './commits.ts';
import { CUSTOMS, type Fields, SLOT_KEYS } from './manifests.ts';
import type { Model } from './model.ts';
import type { Random } from './random.ts';
import type { Identity } from './ring.ts';

export interface Proposal {
  readonly from: Identity;
  readonly type: string;
  readonly content: Plain;
}

/** What proposals are made from. */
export interface Setting {
  readonly random: Random;
  readonly model: Model;
  readonly people: readonly Identity[];
  readonly head: number;
  readonly ctRoot: string;
  readonly nextSequencer: string;
  /** ids of events that were never made here */
  readonly strangers: readonly string[];
}

const SUFFIXES = ['', 'a', 'b', 'name', '/x'];

function slotKey(random: Random): string {
  const key = random.pick(SLOT_KEYS);
  return key.endsWith('*')
    ? key.slice(0, -1) + random.pick(SUFFIXES) || 'z'
    : key + (random.chance(0.3) ? random.pick(['z', '/name']) : '');
}

function anything(random: Random, depth = 0): Plain {
  switch (random.int(depth > 3 ? 5 : 8)) {
    case 0:
      return random.pick([
        0,
        1,
        -1,
        23,
        24,
        255,
        256,
        65535,
        65536,
        2 ** 32 - 1,
        2 ** 32,
        2 ** 53 - 1,
        -(2 ** 53) + 1,
        -24,
        -25,
        -256,
        -257,
      ]);
    case 1:
      return random.pick([
        '',
        'text',
        'ä€😀',
        '"\\/\b\f\n\r\t\u0001',
        'x'.repeat(random.pick([23, 24, 255, 256, 300])),
        '\u2028\u007f',
      ]);
    case 2:
      return random.pick([null, true, false]);
    case 3:
      return 'message';
    case 4:
      return random.int(1000);
    case 5:
      return Array.from({ length: random.pick([0, 1, 3, 23, 24]) }, () => anything(random, depth + 2));
    default:
      return Object.fromEntries(
        random
          .some(['a', 'b', 'aa', '', 'é', '😀', '\ufb33', 'Z', '1', '__proto__x', 'x'.repeat(24)], 0.4)
          .map((key) => [key, anything(random, depth + 1)]),
      );
  }
}

/** One random commit, well shaped, about people, names and events that exist more often than not. */
export function propose(setting: Setting): Proposal {
  const { random, model } = setting;
  const person = (): Identity => random.pick(setting.people);
  const from = person();
  const paused = model.status === 'paused';
  const type = random.weighted({
    custom: 6,
    Move: 3,
    Grant: 2,
    Revoke: 2,
    Transfer: 1.5,
    Gate: model.gates.size > 0 ? 1.5 : 0.2,
    AC_Bundle: 2,
    Shared: 2,
    Own: 2,
    Update: 2.2,
    Delete: 1.2,
    Pause: 0.4,
    Resume: paused ? 6 : 0.3,
    Terminate: paused ? 1 : 0.05,
    Migrate: paused ? 1 : 0.25,
    Manifest: 0.1,
    Lanes: 0.05,
    other: 0.2,
  });
  return { from, type: typeName(type, setting), content: contentOf(type, setting, from) };
}

function typeName(kind: string, { random, model }: Setting): string {
  if (kind === 'custom')
    return random.chance(0.95)
      ? random.pick(model.manifest.types.length ? model.manifest.types : CUSTOMS)
      : random.pick(CUSTOMS);
  if (kind === 'other') return random.pick(['unknown', 'move', 'x'.repeat(64), 'A.b_c:-9']);
  return kind;
}

function contentOf(kind: string, setting: Setting, from: Identity): Plain {
  const { random, model, people } = setting;
  const { manifest } = model;
  const target = (): string => (random.chance(0.25) ? from.hex : random.pick(people).hex);
  const trait = (): string =>
    manifest.traits.length && random.chance(0.97) ? random.pick(manifest.traits).name : 'nothing';
  const extra = (content: Fields): Fields => (random.chance(0.05) ? { ...content, note: anything(random) } : content);
  switch (kind) {
    case 'Move': {
      const who = target();
      const row = manifest.moves.length ? random.pick(manifest.moves) : { from: 0, to: 1 };
      const at = random.chance(0.7) ? model.stateName(who) : manifest.states[row.from]!;
      const fitting = manifest.moves.filter((move) => manifest.states[move.from] === at);
      const to =
        fitting.length && random.chance(0.85)
          ? manifest.states[random.pick(fitting).to]!
          : random.pick([...manifest.states, 'NOWHERE']);
      return extra({ target: who, from: at, to });
    }
    case 'Grant':
    case 'Revoke':
    case 'Transfer': {
      const rows = manifest.grants.filter((row) => row.event === kind && row.traits.length > 0);
      const fit =
        rows.length && random.chance(0.7) ? manifest.traits[random.pick(random.pick(rows).traits)]?.name : undefined;
      return extra({
        target: target(),
        trait: fit ?? trait(),
        ...(kind !== 'Transfer' && random.chance(0.1) && { endpoint: 'https://example.org/push' }),
      });
    }
    case 'Gate':
      return {
        alias: model.gates.size > 0 && random.chance(0.95) ? random.pick([...model.gates.keys()]) : 'ungated',
        open: random.chance(0.5),
      };
    case 'AC_Bundle':
      return {
        ops: Array.from({ length: random.pick([1, 1, 2, 2, 3, 4, 8]) }, () => {
          const type = random.pick(['Move', 'Move', 'Grant', 'Grant', 'Revoke', 'Transfer', 'Gate']);
          return { type, content: contentOf(type, setting, from) };
        }),
      };
    case 'Shared':
    case 'Own': {
      const held = [...model.slots.values()].filter(({ owner }) => owner === (kind === 'Own' ? from.hex : ''));
      const rows = model.manifest.slots.filter((row) => row.event === kind);
      const near = rows.length && random.chance(0.6) ? random.pick(rows).key + random.pick(['', '', 'z', '/name']) : '';
      const key = held.length && random.chance(0.4) ? random.pick(held).key : near || slotKey(random);
      return random.chance(0.3) ? { key, delete: true } : extra({ key, value: anything(random) });
    }
    case 'Update':
    case 'Delete': {
      const ids = [...model.targets.keys()];
      const mine = ids.filter((id) => model.targets.get(id)!.from === from.hex);
      const content = ids.filter((id) => !(TYPES as readonly string[]).includes(model.targets.get(id)!.type));
      const pool = random.weighted({ mine: 4, content: 4, ids: 1, strangers: 0.5 });
      const list = { mine, content, ids, strangers: setting.strangers }[pool] ?? [];
      const id = random.pick(list.length ? list : setting.strangers);
      return kind === 'Update' ? { target: id, content: anything(random) } : { target: id };
    }
    case 'Pause':
    case 'Resume':
    case 'Terminate':
      return random.pick<Plain>([{}, {}, { reason: 'x' }]);
    case 'Migrate':
      return {
        new_sequencer: setting.nextSequencer,
        prev_seq: setting.head - (random.chance(0.1) ? 1 : 0),
        ct_root: random.chance(0.9) ? setting.ctRoot : '00'.repeat(32),
      };
    default:
      return anything(random);
  }
}

/** Content that is nearly well shaped: something missing, of another type, or out of its bounds. */
export function misshape(proposal: Proposal, random: Random): Plain {
  const { content, type } = proposal;
  if (content === null || typeof content !== 'object' || Array.isArray(content) || random.chance(0.1))
    return random.pick<Plain>([null, [], 'text', 1, {}]);
  const keys = Object.keys(content);
  if (keys.length === 0) return [];
  const key = random.pick(keys);
  const copy: Fields = { ...content };
  const odd: Plain[] = [
    null,
    1,
    '',
    'AB'.repeat(32),
    [],
    {},
    true,
    'ab'.repeat(33),
    '0'.repeat(64),
    'x'.repeat(257),
    'ä'.repeat(128),
    'ä'.repeat(129),
    -1,
    2 ** 53 - 1,
  ];
  if (type === 'AC_Bundle') {
    const ops = (content['ops'] ?? []) as Fields[];
    return random.pick<Plain>([
      { ops: [] },
      { ops: Array.from({ length: random.pick([64, 65]) }, () => ops[0]!) },
      { ops: [...ops, { type: 'AC_Bundle', content: { ops } }] },
      { ops: [...ops, { type: 'Shared', content: { key: 'k', value: 1 } }] },
      { ops: [...ops, { type: 'Move' }] },
      { ops: [...ops, { type: 'Grant', content: { target: 'x', trait: 'y' } }] },
      { ops: [...ops, ops[0]!, 1] },
      { ops: [{ ...ops[0]!, more: 1 }, ...ops] },
      { ops: ops[0]! },
    ]);
  }
  if ((type === 'Shared' || type === 'Own') && random.chance(0.4)) {
    return random.pick<Plain>([
      { key: 'k' },
      { key: 'k', value: null, delete: true },
      { key: 'k', delete: false },
      { key: 'k', value: 1, delete: false },
      { key: 'k', delete: 1 },
      { key: 'x'.repeat(256), value: null },
    ]);
  }
  if (random.chance(0.4)) delete copy[key];
  else copy[key] = random.pick(odd);
  return copy;
}
