import {
  ACCEPTED,
  DUPLICATE,
  type EnclaveParams,
  IC_ECDSA,
  IC_HASH_OK,
  type InspectMode,
  REQUEST_QUERY,
  REQUEST_SEQUENCER,
  STAGE_ADMIN,
  STAGE_FORGED,
  STAGE_FULL,
  STAGE_VERIFIED,
  TYPES,
} from '../../kernel/kernel.ts';
import { errorOf } from '../../protocol/errors.ts';
import type { Plain } from './commits.ts';
import type { Model, Verdict } from './model.ts';
import type { Inspectors, Pair } from './pair.ts';
import type { Pipeline } from './pipeline.ts';
import { Reads } from './reads.ts';
import { codeOf, icFields, split } from './records.ts';
import { hex, verify } from './ring.ts';
import type { World } from './world.ts';

/** Answers that rights and state alone decide: those that the model foresees. */
const FORESEEN = new Set([
  ...['ok', 'forbidden', 'gate_closed', 'state_mismatch', 'rank', 'owner_must_transfer', 'no_change', 'deleted'],
  ...['event_not_found', 'enclave_paused', 'enclave_terminated', 'enclave_migrated'],
]);
const REMEMBERED = 200;

/** Where bodies come in: both kernels inspect them, and carry out whatever they turn out to be. */
export class Door {
  readonly #world: World;
  readonly #pair: Pair;
  readonly #pipeline: Pipeline;
  readonly #model: Model;
  readonly #reads: Reads;
  readonly #params: EnclaveParams;
  requests = 0;
  /** accepted commits */
  staged = 0;
  founded = false;
  /** bodies of commits that may be sent again */
  readonly sent: Uint8Array[] = [];

  constructor(world: World, pair: Pair, pipeline: Pipeline, model: Model, params: EnclaveParams) {
    this.#world = world;
    this.#pair = pair;
    this.#pipeline = pipeline;
    this.#model = model;
    this.#params = params;
    this.#reads = new Reads(world, pair);
  }

  /** One body from the outside at wall time `now`. */
  post(body: Uint8Array, now: number, mode: InspectMode = 'post', path?: Uint8Array): void {
    const inspection = this.inspect(this.#world.inspectors, body, mode, path);
    for (const item of inspection.items) {
      if (codeOf(item) !== 0) continue;
      if (inspection.kind === 'request') this.read(item, now);
      else this.#stage(item, inspection.kind === 'commit' ? body : null, now);
    }
  }

  /** Inspects only. */
  inspect(inspectors: Inspectors, body: Uint8Array, mode: InspectMode, path?: Uint8Array) {
    const { coverage } = this.#world;
    this.requests++;
    const { kind, code, count, bytes } = inspectors.inspect(body, mode, path);
    const items = kind === 'error' || count === 0 ? [] : split(bytes);
    for (const error of [code, ...items.map(codeOf)]) if (error !== 0) coverage.error(error);
    return { kind, items };
  }

  /** Carries an inspected request out. */
  read(ir: Uint8Array, now: number): void {
    const { coverage, random } = this.#world;
    const kind = ir[6]!;
    // Answered by the host, which holds the master secret; inspect has made the key's seed.
    if (kind === REQUEST_SEQUENCER) return coverage.rule('sequencer');
    if (kind !== REQUEST_QUERY || random.chance(0.8)) this.#pipeline.settle();
    this.#reads.answer(ir, now, this.#model);
    this.#pair.compareState(`request ${kind}`);
  }

  #flags(ic: Uint8Array, manifest: boolean): number {
    const { random } = this.#world;
    const { flags, from, hash, sig } = icFields(ic);
    const alg = flags & IC_ECDSA ? 1 : 0;
    const good = (flags & IC_HASH_OK) !== 0 && verify(alg, from.slice(), hash.slice(), sig.slice());
    return (
      (random.chance(0.85) ? (good ? STAGE_VERIFIED : STAGE_FORGED) : 0) |
      (random.chance(0.03) ? STAGE_FULL : 0) |
      (random.chance(manifest ? 0.5 : 0.03) ? STAGE_ADMIN : 0)
    );
  }

  #foresee(name: string, content: Plain, from: string): Verdict | null {
    if (!this.founded || name === 'Manifest') return null;
    try {
      return this.#model.decide(name, content, from);
    } catch {
      // Not the shape that its type takes: the model knows rights, not shapes.
      return null;
    }
  }

  #stage(ic: Uint8Array, body: Uint8Array | null, now: number): void {
    const { random, coverage } = this.#world;
    this.#pipeline.begin(now);
    const commit = icFields(ic);
    const name = TYPES[commit.type] || commit.name;
    const from = hex(commit.from);
    const content = JSON.parse(commit.content) as Plain;
    const flags = this.#flags(ic, name === 'Manifest');
    const verdict = this.#foresee(name, content, from);
    const before = this.#model.status;
    const what = `stage ${name} ${commit.content.slice(0, 400)}`;
    const [code, detail] = this.#pair.both(`${what} flags ${flags}`, ({ kernel }): [number, string] => {
      const result = kernel.stage(ic, flags);
      return [result, result > 0 ? kernel.detail : String(kernel.seq)];
    })!;
    this.#pair.compareState(what);
    if (body && code === errorOf('expired').number && this.sent.includes(body)) coverage.rule('retry: expired');
    if (body && (code <= 0 || random.chance(0.1))) this.#remember(body);
    if (code === DUPLICATE) {
      coverage.rule(Number(detail) > this.#pipeline.sealed ? 'retry: unsealed' : 'retry: sealed');
      if (before === 'terminated' || before === 'migrated') coverage.rule('retry: after end of life');
    } else if (code === ACCEPTED) {
      coverage.event(commit.type);
      if (flags & STAGE_FULL) coverage.rule('quota: passes');
      this.#accepted(name, content, from, verdict);
    } else {
      coverage.error(code);
      const error = errorOf(code).code;
      if (flags & STAGE_FULL && error === 'too_large') coverage.rule('quota: refused');
      this.#refused(name, content, from, error, detail, verdict);
    }
  }

  #remember(body: Uint8Array): void {
    this.sent.push(body);
    if (this.sent.length > REMEMBERED) this.sent.shift();
  }

  #accepted(name: string, content: Plain, from: string, verdict: Verdict | null): void {
    const { coverage } = this.#world;
    this.staged++;
    if (name === 'Manifest') {
      this.founded = true;
      const { provisioned } = this.#params;
      if (provisioned) coverage.rule(provisioned.creator ? 'provisioned: creator' : 'provisioned: admin');
      return;
    }
    for (const rule of verdict?.rules ?? []) coverage.rule(rule);
    if (verdict?.code !== 'ok') this.#surprise(name, content, from, verdict, 'was accepted');
    if (name === 'Migrate') coverage.rule('migrate: done');
    this.#model.apply(name, content, from);
  }

  #refused(name: string, content: Plain, from: string, error: string, detail: string, verdict: Verdict | null): void {
    const { coverage } = this.#world;
    if (name === 'Manifest' && this.#params.provisioned && error === 'forbidden')
      coverage.rule('provisioned: stranger');
    if (name === 'Migrate' && error === 'state_mismatch') {
      const { prev_seq } = content as { prev_seq: number };
      return coverage.rule(prev_seq === this.staged - 1 ? 'migrate: ct_root' : 'migrate: prev_seq');
    }
    if (!verdict || !FORESEEN.has(error)) return;
    const op = verdict.op === undefined ? '' : `"op":${verdict.op}`;
    const expected = verdict.code === error && (op === '' || op === detail);
    if (!expected) return this.#surprise(name, content, from, verdict, `got ${error} ${detail}`);
    for (const rule of verdict.rules) coverage.rule(rule);
  }

  #surprise(name: string, content: Plain, from: string, verdict: Verdict | null, got: string): void {
    const text = JSON.stringify(content);
    this.#world.surprises.push(`${name} ${text} by ${from.slice(0, 8)}: expected ${verdict?.code}, ${got}`);
  }
}
