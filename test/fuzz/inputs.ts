import { body as soup } from '../../kernel/inspect-bodies.ts';
import type { InspectMode } from '../../kernel/kernel.ts';
import { commitHash, contentHash } from '../../protocol/hash.ts';
import { parseJson } from '../../protocol/json.ts';
import { commitOf, type Draft, nearMiss, type Plain, spell } from '../parity/commits.ts';
import { mutateBytes, mutateJson } from '../parity/hostile.ts';
import { CUSTOMS, type Fields, SLOT_KEYS } from '../parity/manifests.ts';
import type { Random } from '../parity/random.ts';
import { eventFields } from '../parity/records.ts';
import { hex, type Identity, sign } from '../parity/ring.ts';
import { request } from '../parity/sessions.ts';
import { PEOPLE, type Scene } from './scene.ts';

export interface Input {
  readonly body: Uint8Array;
  readonly mode: InspectMode;
  /** the enclave in the path of the call */
  readonly path: boolean;
}

const MODES: readonly InspectMode[] = ['post', 'snapshot', 'inclusion', 'bundle', 'state', 'state-batch'];
/** Nobody looks at the signature of what is no JSON. */
const UNSIGNED = '0'.repeat(128);
const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));

/** A well-formed commit draft about people, names and events of this enclave. */
export function draft(scene: Scene): Draft {
  const { random, manifest, store } = scene;
  const rbac = manifest['RBAC'] as Fields;
  const from = random.pick(PEOPLE);
  const target = (): string => random.pick(PEOPLE).hex;
  const states = ['OUTSIDER', ...(rbac['states'] as string[])];
  const traits = ((rbac['traits'] ?? []) as string[]).map((trait) => trait.slice(0, trait.indexOf('(')));
  const event = (): string => random.pick(store.events).id;
  const trait = (): string => (traits.length ? random.pick(traits) : 'none');
  const key = (): string => random.pick(SLOT_KEYS).replace('*', random.pick(['', 'a', 'name']));
  const access = (type: string): Plain => {
    switch (type) {
      case 'Move':
        return { target: target(), from: random.pick(states), to: random.pick(states) };
      case 'Gate':
        return { alias: random.pick(['door', 'Gate.2', 'talk']), open: random.chance(0.5) };
      default:
        return { target: target(), trait: trait() };
    }
  };
  const type = random.weighted({
    custom: 8,
    Move: 3,
    Grant: 2,
    Revoke: 2,
    Transfer: 1,
    Gate: 1,
    AC_Bundle: 2,
    Shared: 2,
    Own: 2,
    Update: 3,
    Delete: 1.5,
    Pause: 0.2,
    Resume: scene.kernel.status === 'paused' ? 6 : 0.2,
    Terminate: 0.02,
    Migrate: 0.05,
    Manifest: 0.2,
    Lanes: 0.1,
  });
  const content = (): Plain => {
    switch (type) {
      case 'Move':
      case 'Grant':
      case 'Revoke':
      case 'Transfer':
      case 'Gate':
        return access(type);
      case 'AC_Bundle':
        return {
          ops: Array.from({ length: random.pick([1, 2, 3, 64]) }, () => {
            const op = random.pick(['Move', 'Grant', 'Revoke', 'Transfer', 'Gate']);
            return { type: op, content: access(op) };
          }),
        };
      case 'Shared':
      case 'Own':
        return random.chance(0.3) ? { key: key(), delete: true } : { key: key(), value: random.u32() };
      case 'Update':
        return { target: event(), content: { text: `v${random.u32()}` } };
      case 'Delete':
        return { target: event() };
      case 'Pause':
      case 'Resume':
      case 'Terminate':
        return {};
      case 'Migrate':
        return {
          new_sequencer: random.pick(PEOPLE).hex,
          prev_seq: scene.kernel.head().seq,
          ct_root: hex(scene.kernel.head().ctRoot),
        };
      case 'Manifest':
        return manifest as Plain;
      default:
        return { text: 'x'.repeat(random.int(200)), n: random.u32(), list: [null, true, { a: -1 }] };
    }
  };
  return {
    enclave: scene.enclave,
    from,
    type: type === 'custom' ? random.pick(CUSTOMS) : type,
    content: content(),
    exp: scene.now + 1 + random.int(500_000),
    ...(random.chance(0.2) && {
      tags: random.pick([
        [],
        [['t', 'a']],
        [
          ['topic', 'b'],
          ['e', 'c', 'd'],
        ],
      ]),
    }),
    ...(random.chance(0.15) && { alg: random.pick(['schnorr', 'ecdsa'] as const) }),
  };
}

/** A commit whose content is hostile and whose hash and signature are good, if the content can be hashed at all. */
function resigned(d: Draft, random: Random): string {
  const text = random.chance(0.9) ? mutateJson(d.content, random) : mutateJson([d.content], random);
  const parsed = parseJson(encode(text));
  const exp = random.chance(0.9) ? d.exp : random.pick([0, 1, 2 ** 53 - 1, d.exp + 700_000]);
  const tags = d.tags ?? [];
  const hash = commitHash({
    enclave: d.enclave,
    from: d.from.pub,
    type: d.type,
    contentHash: contentHash(parsed?.value ?? null),
    exp,
    tags,
  });
  const parts = [
    `"hash":"${hex(hash)}"`,
    `"enclave":"${hex(d.enclave)}"`,
    `"from":"${d.from.hex}"`,
    `"type":${JSON.stringify(d.type)}`,
    `"content":${text}`,
    `"exp":${exp}`,
    ...(d.tags ? [`"tags":${JSON.stringify(d.tags)}`] : []),
    ...(d.alg ? [`"alg":"${d.alg}"`] : []),
    `"sig":"${parsed ? hex(sign(d.from, hash, d.alg)) : UNSIGNED}"`,
  ];
  return `{${(random.chance(0.1) ? random.shuffled(parts) : parts).join(',')}}`;
}

export function readRequest(scene: Scene): { body: Fields; mode: InspectMode } {
  const { random, store } = scene;
  const some = store.events.slice(-50);
  const slots = store.events.slice(-30).flatMap(({ name, content, record }) => {
    if (name !== 'Shared' && name !== 'Own') return [];
    const { key } = JSON.parse(Buffer.from(content).toString('utf8')) as { key: string };
    return [{ key, owner: name === 'Own' ? hex(eventFields(record).from) : '' }];
  });
  return request({
    random,
    enclave: scene.enclaveHex,
    sequencer: scene.sequencer.pub,
    people: PEOPLE,
    ids: some.map(({ id }) => id),
    strangers: ['ab'.repeat(32)],
    types: CUSTOMS,
    head: store.events.length - 1,
    bundles: store.closings.length,
    now: scene.now,
    times: [],
    slots,
    aliases: ['door', 'talk'],
  });
}

const plain = (fields: Fields): string => JSON.stringify(fields);
const other = (random: Random): Identity => random.pick(PEOPLE);

/** One input for the body target: valid, nearly valid, or hostile in structure or in bytes. */
export function input(scene: Scene): Input {
  const { random } = scene;
  let mode: InspectMode = 'post';
  const commit = (): string => {
    const d = draft(scene);
    switch (random.weighted({ valid: 20, resigned: 45, envelope: 25, near: 10 })) {
      case 'valid':
        return spell(commitOf(d), random.chance(0.3) ? random : null);
      case 'resigned':
        return resigned(d, random);
      case 'envelope':
        return mutateJson(commitOf(d), random);
      default:
        return plain(nearMiss(commitOf(d), d, other(random), random));
    }
  };
  const one = (): Uint8Array => {
    switch (random.weighted({ commit: 60, request: 22, array: 5, soup: 6, retry: 3 })) {
      case 'commit':
        return encode(commit());
      case 'request': {
        const made = readRequest(scene);
        mode = made.mode;
        return encode(random.chance(0.5) ? plain(made.body) : mutateJson(made.body as Plain, random));
      }
      case 'array':
        return encode(`[${Array.from({ length: random.pick([0, 1, 2, 3, 8]) }, commit).join(',')}]`);
      case 'soup':
        return soup((n) => random.int(n), scene.enclaveHex);
      default:
        return scene.accepted.length ? random.pick(scene.accepted) : encode(commit());
    }
  };
  let body = one();
  for (let i = random.chance(0.22) ? random.pick([1, 1, 1, 2, 5]) : 0; i > 0; i--) body = mutateBytes(body, random);
  if (random.chance(0.02)) mode = random.pick(MODES);
  return { body, mode, path: random.chance(0.1) };
}
