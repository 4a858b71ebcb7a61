import { encodeCbor } from '../../protocol/cbor.ts';
import type { Plain } from './commits.ts';
import { type Fields, SLOT_KEYS } from './manifests.ts';
import type { Random } from './random.ts';
import { hex, type Identity, sessionToken, unhex } from './ring.ts';

export interface ReadSetting {
  readonly random: Random;
  readonly enclave: string;
  readonly sequencer: Uint8Array;
  readonly people: readonly Identity[];
  /** who lost a state or a trait lately */
  readonly losers?: readonly string[];
  /** hex ids of known events, oldest first */
  readonly ids: readonly string[];
  readonly strangers: readonly string[];
  readonly types: readonly string[];
  readonly head: number;
  readonly bundles: number;
  /** ms */
  readonly now: number;
  /** timestamps of known events */
  readonly times: readonly number[];
  readonly slots: readonly { readonly key: string; readonly owner: string }[];
  readonly aliases: readonly string[];
}

function session(setting: ReadSetting, who: Identity): string {
  const { random, sequencer } = setting;
  const now = Math.floor(setting.now / 1000);
  const token = hex(sessionToken(who, sequencer, now + 3600));
  if (random.chance(0.88)) return token;
  switch (random.int(9)) {
    case 0:
      return hex(sessionToken(who, sequencer, now - random.pick([59, 60, 61])));
    case 1:
      return hex(sessionToken(who, sequencer, now + random.pick([7259, 7260, 7261])));
    case 2:
      return hex(sessionToken(who, random.pick(setting.people).pub, now + 100));
    case 3:
      return hex(sessionToken(random.pick(setting.people), sequencer, now + 100));
    case 4:
      return token.slice(2);
    case 5:
      return token.toUpperCase();
    case 6:
      return token.slice(0, 128) + (now + 7000).toString(16).padStart(8, '0');
    case 7:
      return '00'.repeat(68);
    default:
      return `${token}00`;
  }
}

const envelope = (setting: ReadSetting, type: string): Fields => {
  const { random, people, losers = [] } = setting;
  const loser = losers.length > 0 && random.chance(0.3) ? random.pick(losers) : '';
  const who = people.find((person) => person.hex === loser) ?? random.pick(people);
  return { type, enclave: setting.enclave, from: who.hex, session: session(setting, who) };
};

const someOf = (random: Random, list: readonly string[], one: () => string): Plain =>
  random.chance(0.5)
    ? one()
    : Array.from({ length: random.pick([0, 1, 2, 5]) }, () => (list.length ? random.pick(list) : one()));

function range(random: Random, max: number, known: readonly number[] = []): Plain {
  const n = (): number =>
    known.length && random.chance(0.6)
      ? random.pick(known)
      : random.pick([0, 1, max, max + 1, random.int(max + 2), 2 ** 53 - 1]);
  switch (random.int(5)) {
    case 0:
      return n();
    case 1:
      return Array.from({ length: random.int(4) }, n);
    default:
      return {
        ...(random.chance(0.8) && { [random.pick(['start_at', 'start_after'])]: n() }),
        ...(random.chance(0.6) && { [random.pick(['end_at', 'end_before'])]: n() }),
      };
  }
}

function filter(setting: ReadSetting): Plain {
  const { random } = setting;
  const id = (): string => random.pick(setting.ids.length && random.chance(0.9) ? setting.ids : setting.strangers);
  return {
    ...(random.chance(0.15) && { id: someOf(random, setting.ids, id) }),
    ...(random.chance(0.25) && { seq: range(random, setting.head) }),
    ...(random.chance(0.25) && {
      type: someOf(random, setting.types, () =>
        random.pick(['Move', 'Grant', 'Update', 'Shared', 'nothing', ...setting.types]),
      ),
    }),
    ...(random.chance(0.2) && {
      from: someOf(
        random,
        setting.people.map((p) => p.hex),
        () => random.pick(setting.people).hex,
      ),
    }),
    ...(random.chance(0.15) && { timestamp: range(random, setting.now, setting.times) }),
    ...(random.chance(0.15) && {
      tags: { [random.pick(['t', 'topic', 'e'])]: random.pick<Plain>([true, 'a', ['a', 'b'], 'zz', []]) },
    }),
    ...(random.chance(0.1) && { lane: random.pick([0, 0, 1]) }),
    ...(random.chance(0.3) && { limit: random.pick([1, 5, 1000, 0, 1001]) }),
    ...(random.chance(0.2) && { reverse: random.chance(0.5) }),
    ...(random.chance(0.03) && { more: 1 }),
  };
}

function stateKey(setting: ReadSetting, namespace: string): string {
  const { random } = setting;
  const person = random.pick(setting.people);
  if (namespace === 'rbac') return random.chance(0.9) ? person.hex : hex(random.bytes(32));
  if (namespace === 'event_status')
    return random.pick(setting.ids.length && random.chance(0.85) ? setting.ids : setting.strangers);
  const slot =
    setting.slots.length && random.chance(0.7)
      ? random.pick(setting.slots)
      : { key: random.pick(SLOT_KEYS).replace('*', 'q'), owner: random.chance(0.5) ? person.hex : '' };
  switch (random.int(8)) {
    case 0:
      return hex(encodeCbor(['status']));
    case 1:
      return hex(
        encodeCbor(['gate', setting.aliases.length && random.chance(0.9) ? random.pick(setting.aliases) : 'none']),
      );
    case 2:
      return random.pick([
        '',
        '80',
        '8161',
        hex(encodeCbor(['status', 1])),
        hex(encodeCbor(['own', 'k', 'hex'])),
        hex(encodeCbor(['shared'])),
        hex(encodeCbor(['shared', ''])),
        `81${'78067374617475'}73`,
      ]);
    default:
      return hex(slot.owner ? encodeCbor(['own', slot.key, unhex(slot.owner)]) : encodeCbor(['shared', slot.key]));
  }
}

/** A random request of one of the calls that need a session, by `POST /` or by path. */
export function request(setting: ReadSetting): {
  body: Fields;
  mode: 'post' | 'inclusion' | 'bundle' | 'state' | 'state-batch';
  kind: string;
} {
  const { random } = setting;
  const kind = random.weighted({
    Query: 4,
    Pull: 2,
    Info: 0.6,
    Sequencer: 0.3,
    Inclusion: 2,
    Bundle: 2,
    State: 4,
    StateBatch: 1.5,
  });
  const seq = (): number =>
    random.pick([0, setting.head, setting.head + 1, random.int(setting.head + 1), random.int(setting.head + 1)]);
  const id = (): string => random.pick(setting.ids.length && random.chance(0.9) ? setting.ids : setting.strangers);
  const path = (body: Fields): Fields => {
    const { type: _type, ...rest } = body;
    return rest;
  };
  switch (kind) {
    case 'Query':
      return { body: { ...envelope(setting, 'Query'), filter: filter(setting) }, mode: 'post', kind };
    case 'Pull':
      return {
        body: {
          ...envelope(setting, 'Pull'),
          ...(random.chance(0.8) && { after_seq: random.pick([-1, 0, seq(), -2]) }),
          ...(random.chance(0.6) && { limit: random.pick([1, 100, 1000, 0, 1001]) }),
        },
        mode: 'post',
        kind,
      };
    case 'Info':
      return { body: { type: 'Info', enclave: setting.enclave }, mode: 'post', kind };
    case 'Sequencer':
      return {
        body: {
          type: 'Sequencer',
          from: random.pick(setting.people).hex,
          content: { enc_v: 2, sequencer: 'any', RBAC: {} },
          ...(random.chance(0.3) && { tags: [['t', 'a']] }),
        },
        mode: 'post',
        kind,
      };
    case 'Inclusion': {
      const by = random.pick<Fields>([{ seq: seq() }, { id: id() }, { leaf_index: random.int(setting.bundles + 2) }]);
      const ts = random.chance(0.4)
        ? { ts: random.pick([0, setting.bundles, setting.bundles + 1, random.int(setting.bundles + 1)]) }
        : {};
      const both = random.chance(0.03) ? { seq: 0, id: id() } : {};
      return { body: path({ ...envelope(setting, ''), ...by, ...both, ...ts }), mode: 'inclusion', kind };
    }
    case 'Bundle':
      return {
        body: path({
          ...envelope(setting, ''),
          ...random.pick<Fields>([{ seq: seq() }, { id: id() }]),
          ...(random.chance(0.02) && { leaf_index: 0 }),
        }),
        mode: 'bundle',
        kind,
      };
    default: {
      const namespace = random.pick(['rbac', 'event_status', 'kv', 'kv']);
      const asked = random.chance(0.97) ? namespace : 'other';
      const keys = Array.from({ length: random.pick([0, 1, 2, 3, 6]) }, () => stateKey(setting, namespace));
      return kind === 'State'
        ? {
            body: path({ ...envelope(setting, ''), namespace: asked, key: stateKey(setting, namespace) }),
            mode: 'state',
            kind,
          }
        : { body: path({ ...envelope(setting, ''), namespace: asked, keys }), mode: 'state-batch', kind };
    }
  }
}
