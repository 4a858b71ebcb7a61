import { ACCEPTED, type EnclaveParams, STAGE_VERIFIED } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { parseJson } from '../../protocol/json.ts';
import { readManifest } from '../../protocol/manifest.ts';
import { BREAKAGES } from './breakages.ts';
import { commitOf, manifestIds, type Plain, spell } from './commits.ts';
import { fullManifest, randomManifest } from './manifests.ts';
import { Model } from './model.ts';
import { Pair } from './pair.ts';
import { codeOf } from './records.ts';
import { hex, type Identity, identity } from './ring.ts';
import type { World } from './world.ts';

export const EXP_WINDOW = 600_000;
const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));
const sequencerOf = (seed: Uint8Array): Identity => identity(`sequencer ${hex(seed)}`);

export interface Founding {
  readonly creator: Identity;
  readonly tags: string[][] | undefined;
  readonly manifest: Plain;
  readonly model: Model;
  readonly sequencer: Identity;
  readonly params: EnclaveParams;
}

/** A new enclave on paper: its Manifest, keys and parameters. */
export function plan({ random, people }: World): Founding {
  const creator = random.pick(people);
  const tags = random.chance(0.2) ? [['topic', 'a']] : undefined;
  let manifest = random.chance(0.1) ? fullManifest(people) : randomManifest(random, people);
  const sequencer = sequencerOf(manifestIds(creator, manifest, tags).seed);
  if (random.chance(0.3)) manifest = { ...manifest, sequencer: sequencer.hex };
  const provisioned = random.chance(0.2) ? (random.chance(0.5) ? { creator: creator.pub } : {}) : undefined;
  const enclave = provisioned ? random.bytes(32) : manifestIds(creator, manifest, tags).enclave;
  const compiled = readManifest(parseJson(encode(JSON.stringify(manifest)), 64)!.value, sequencer.hex);
  if (!compiled.ok) throw new Error(`the generator made an invalid Manifest at ${compiled.path}`);
  return {
    ...{ creator, tags, manifest, sequencer, model: new Model(compiled.manifest) },
    params: { enclave, lane: 0, sequencer: sequencer.pub, expWindow: EXP_WINDOW, ...(provisioned && { provisioned }) },
  };
}

/** Tries to found an enclave with one of the Manifests that have been tried least so far. */
export function tryBroken(world: World, now: number): void {
  const { random, coverage, people } = world;
  const tried = ({ name }: { name: string }): number => coverage.manifests.get(name) ?? 0;
  const breakage = random.pick([...BREAKAGES].sort((a, b) => tried(a) - tried(b)).slice(0, 12));
  const content = breakage.broken({ ...fullManifest(people), nonce: `${breakage.name} ${random.u32()}` });
  const from = random.pick(people);
  const { enclave, seed } = manifestIds(from, content, undefined);
  const sequencer = sequencerOf(seed);
  const pair = new Pair(world.runtimes, sequencer);
  const params = { enclave, lane: 0, sequencer: sequencer.pub, expWindow: EXP_WINDOW };
  const commit = commitOf({ enclave, from, type: 'Manifest', content, exp: now + 1000 });
  const { kind, bytes } = world.inspectors.inspect(encode(spell(commit, random)), 'post');
  if (kind !== 'commit' || codeOf(bytes) !== 0) return;
  const [code, detail] = pair.both(`Manifest: ${breakage.name}`, ({ kernel }): [number, string] => {
    kernel.create(params);
    kernel.begin(now);
    return [kernel.stage(bytes, STAGE_VERIFIED), kernel.detail];
  })!;
  pair.dispose();
  coverage.broken(breakage.name);
  coverage.error(code);
  const valid = breakage.name.endsWith('(valid)');
  const expected = valid ? ACCEPTED : errorNumber('invalid_manifest');
  const path = valid ? '' : `"path":${JSON.stringify(breakage.path)}`;
  if (code !== expected || detail !== path) {
    world.surprises.push(`Manifest ${breakage.name}: expected ${expected} ${path}, got ${code} ${detail}`);
  }
}
