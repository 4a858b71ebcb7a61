import type { Plain } from './commits.ts';
import type { Random } from './random.ts';
import type { Identity } from './ring.ts';

export type Fields = { [key: string]: Plain };

export const STATES = ['MEMBER', 'ADMIN', 'GUEST', 'BLOCKED', 'OWNER', 'VIP_2', 'PENDING'];
const TRAITS = ['owner(0)', 'admin(1)', 'mod(2)', 'muted(7)', 'feed(2)', 'key_9(100)', 'root(0)'];
export const CUSTOMS = ['message', 'note', 'a.b:c-d', 'reaction', 'X'];
export const SLOT_KEYS = ['topic', 'profile/*', 'pro*', '*', 'profile/name', 'k'];
const OPS = ['C', 'R', 'U', 'D', 'N', 'P'];
const READABLE = [
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
  'Migrate',
  ...CUSTOMS,
];

/** A valid Manifest, random in every part, whose rules are often enough both kept and broken by random commits. */
export function randomManifest(
  random: Random,
  people: readonly Identity[],
  options: { sequencer?: string } = {},
): Fields {
  // Sometimes nobody can hold rank 0: then the State OWNER has the last word.
  const owned = random.chance(0.3);
  // As many states and traits as there may be: the last ones use the highest bits of the mask.
  const wide = random.chance(0.06);
  const states = random.shuffled([
    ...(owned ? ['OWNER'] : []),
    ...random
      .shuffled(STATES)
      .filter((state) => !owned || state !== 'OWNER')
      .slice(0, random.between(1, 4)),
    ...(wide ? Array.from({ length: 250 }, (_, i) => `S${i}`) : []),
  ]);
  const traits = random
    .shuffled(wide ? [...TRAITS, ...Array.from({ length: 17 }, (_, i) => `t${i}(${i + 1})`)] : TRAITS)
    .filter((trait) => !owned || !trait.endsWith('(0)'))
    .slice(0, wide ? 24 : random.between(0, 6));
  const bare = traits.map((trait) => trait.slice(0, trait.indexOf('(')));
  const all = ['OUTSIDER', ...states];
  const column = (): string =>
    random.weighted({
      state: 4,
      trait: bare.length ? 4 : 0,
      Public: 1.5,
      Self: 0.7,
      Sender: 0.7,
      OUTSIDER: 0.5,
    }) as string;
  const named = (): string => {
    const kind = column();
    return kind === 'state' ? random.pick(states) : kind === 'trait' ? random.pick(bare) : kind;
  };
  const operators = (): string[] => Array.from({ length: random.between(1, 3) }, named);
  const ops = (): string[] => {
    const some = random.some(OPS, 0.45);
    if (random.chance(0.2)) some.push(`_${random.pick(OPS)}`);
    return some.length ? some : ['C', 'R'];
  };

  const moves: Fields[] = [];
  const move = (from: string, to: string): void => {
    moves.push({ event: 'Move', from, to, operator: named(), ops: ['C'] });
  };
  for (const state of states) {
    move('OUTSIDER', state);
    move(state, random.chance(0.7) ? 'OUTSIDER' : random.pick(all.filter((name) => name !== state)));
  }
  for (let i = random.int(6); i > 0; i--) {
    const from = random.pick(all);
    move(from, random.pick(all.filter((name) => name !== from)));
  }
  const customs: Fields[] = CUSTOMS.slice(0, random.between(1, CUSTOMS.length)).flatMap((event) =>
    Array.from({ length: random.between(1, 4) }, () => ({ event, operator: named(), ops: ops() })),
  );
  if (random.chance(0.6)) customs.push({ event: CUSTOMS[0]!, operator: 'Sender', ops: ['U', 'D', 'R'] });
  const rows = [...moves, ...customs];
  for (const alias of ['door', 'Gate.2'].slice(0, random.int(3))) {
    const some = random.shuffled(rows.filter((row) => !('alias' in row))).slice(0, random.between(1, 4));
    some.forEach((row, index) => {
      row['alias'] = alias;
      if (index > 0) return;
      row['gate'] = { operator: operators(), ...(random.chance(0.6) && { open: random.chance(0.5) }) };
    });
  }
  if (random.chance(0.2)) random.pick(rows)['alias'] ??= 'ungated';
  const gated = customs.find((row) => 'alias' in row);
  if (gated && random.chance(0.6))
    customs.push({ event: gated['event']!, operator: named(), ops: ['_C', '_U', 'D'], alias: gated['alias']! });

  const traitRows = (events: string[], count: number): Fields[] =>
    Array.from({ length: count }, () => ({
      event: random.pick(events),
      operator: operators(),
      scope: random.some(all, 0.6),
      trait: random.some(bare, 0.6),
    }));
  const people2 = random.shuffled(people).slice(0, random.between(1, Math.min(8, people.length)));
  const init = people2.map((person): Fields => {
    const state = random.chance(0.1) ? 'OUTSIDER' : owned && random.chance(0.4) ? 'OWNER' : random.pick(states);
    return { identity: person.hex, state, traits: state === 'OUTSIDER' ? [] : random.some(bare, 0.35) };
  });
  const rbac: Fields = {
    states,
    traits,
    readers: Array.from({ length: random.int(6) }, () => ({
      type: random.chance(0.15) ? 'Self' : named(),
      reads: random.chance(0.4) ? '*' : random.some(READABLE, 0.4),
      ...(random.chance(0.6) && { retention: random.chance(0.7) ? 'snapshot' : 'current' }),
    })),
    moves,
    grants: traitRows(['Grant', 'Revoke'], bare.length ? random.int(7) : 0),
    transfers: traitRows(['Transfer', 'Transfer', 'Transfer', 'Grant'], bare.length ? random.int(4) : 0),
    slots: Array.from({ length: random.int(7) }, () => ({
      event: random.pick(['Shared', 'Own']),
      operator: named(),
      ops: ops(),
      key: random.pick(SLOT_KEYS),
    })),
    lifecycle: random.chance(owned ? 0.2 : 0.5)
      ? random
          .some(['Pause', 'Resume', 'Terminate', 'Migrate', 'Pause', 'Resume'], 0.5)
          .map((event) => ({ event, operator: named(), ops: ['C'] }))
      : [],
    customs,
    init,
  };
  for (const key of Object.keys(rbac)) if ((rbac[key] as Plain[]).length === 0 && random.chance(0.5)) delete rbac[key];
  return {
    enc_v: 2,
    ...(random.chance(0.8) && { nonce: `n${random.u32()}` }),
    ...(random.chance(0.8) && {
      bundle: {
        ...(random.chance(0.9) && { size: random.pick([1, 2, 3, 4, 5, 7, 8, 16, 33]) }),
        ...(random.chance(0.6) && { timeout: random.pick([100, 300, 1000, 5000]) }),
      },
    }),
    ...(options.sequencer && { sequencer: options.sequencer }),
    ...(random.chance(0.3) && {
      meta: random.pick<Plain>([null, 'free', { any: [1, { unknown: true }] }, [], -(2 ** 53) + 1]),
    }),
    RBAC: rbac,
  };
}

/** A Manifest with at least one row in every list, so that each part of it can be broken. */
export function fullManifest(people: readonly Identity[]): Fields {
  return {
    enc_v: 2,
    nonce: 'full',
    bundle: { size: 4, timeout: 1000 },
    meta: { a: 1 },
    RBAC: {
      states: ['MEMBER', 'ADMIN'],
      traits: ['owner(0)', 'mod(2)'],
      readers: [
        { type: 'MEMBER', reads: '*', retention: 'snapshot' },
        { type: 'Public', reads: ['message', 'Move'] },
      ],
      moves: [
        {
          event: 'Move',
          from: 'OUTSIDER',
          to: 'MEMBER',
          operator: 'Self',
          ops: ['C'],
          alias: 'door',
          gate: { operator: ['mod', 'owner'], open: true },
        },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'Self', ops: ['C'] },
      ],
      grants: [{ event: 'Grant', operator: ['owner'], scope: ['MEMBER'], trait: ['mod'] }],
      transfers: [{ event: 'Transfer', operator: ['owner'], scope: ['MEMBER', 'ADMIN'], trait: ['owner'] }],
      slots: [{ event: 'Shared', operator: 'mod', ops: ['C', 'U', 'D'], key: 'topic/*' }],
      lifecycle: [{ event: 'Pause', operator: 'owner', ops: ['C'] }],
      customs: [
        { event: 'message', operator: 'MEMBER', ops: ['C', 'R'], alias: 'talk', gate: { operator: ['mod'] } },
        { event: 'message', operator: 'Sender', ops: ['U', 'D', '_P'] },
      ],
      init: [
        { identity: people[0]!.hex, state: 'ADMIN', traits: ['owner'] },
        { identity: people[1]!.hex, state: 'MEMBER', traits: [] },
      ],
    },
  };
}
