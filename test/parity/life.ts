import { type EnclaveParams, REQUEST_CONSISTENCY, REQUEST_STH, STAGE_VERIFIED } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { commitOf, type Draft, nearMiss, type Plain, spell } from './commits.ts';
import { Door } from './door.ts';
import { EXP_WINDOW, type Founding, plan, tryBroken } from './founding.ts';
import { History } from './history.ts';
import { mutateBytes, mutateJson } from './hostile.ts';
import type { Model, Verdict } from './model.ts';
import { Pair } from './pair.ts';
import { Pipeline } from './pipeline.ts';
import { misshape, type Proposal, propose } from './proposals.ts';
import type { Random } from './random.ts';
import { codeOf, eventFields, view } from './records.ts';
import { hex, type Identity, identity } from './ring.ts';
import { type ReadSetting, request } from './sessions.ts';
import type { World } from './world.ts';

const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));
const EMPTY_ROOT = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** Lives are to have some history before they end. */
const YOUNG = 25;

/** The life of one enclave in both kernels, from its Manifest to wherever random steps lead it. */
export class Life {
  readonly #world: World;
  readonly #pair: Pair;
  readonly #founding: Founding;
  readonly #model: Model;
  readonly #pipeline: Pipeline;
  readonly #door: Door;
  readonly #history: History;
  readonly #strangers: string[];
  #params: EnclaveParams;
  #now: number;
  #generation = 0;

  constructor(world: World) {
    this.#world = world;
    const { random } = world;
    this.#now = 1_700_000_000_000 + random.int(1_000_000);
    this.#founding = plan(world);
    const { params, model, sequencer } = this.#founding;
    this.#params = params;
    this.#model = model;
    this.#pair = new Pair(world.runtimes, sequencer);
    this.#pair.both('create', ({ kernel }) => kernel.create(params));
    this.#pipeline = new Pipeline(world, this.#pair, model, params.enclave, sequencer);
    this.#door = new Door(world, this.#pair, this.#pipeline, model, params);
    this.#history = new History(world, this.#pair, params.enclave);
    this.#strangers = Array.from({ length: 3 }, () => hex(random.bytes(32)));
  }

  get requests(): number {
    return this.#door.requests;
  }

  /** One step: a commit, a request, or something that the host does. */
  step(): void {
    const { random } = this.#world;
    this.#tick();
    if (!this.#door.founded) return this.#found();
    const weights = {
      commit: 55,
      retry: 5,
      hostile: 10,
      read: 22,
      head: 3,
      end: 16,
      seal: 8,
      close: 1,
      replay: 0.7,
      broken: 1.2,
    };
    switch (random.weighted({ ...weights, burst: 0.1 })) {
      case 'commit':
        return this.#commit();
      case 'burst':
        for (let i = 0; i < 150; i++) this.#commit();
        return;
      case 'retry':
        return this.#retry();
      case 'hostile':
        return this.#hostile();
      case 'read':
        return this.#request();
      case 'head':
        return this.#hostRequest();
      case 'end':
        return this.#pipeline.end();
      case 'seal':
        return this.#pipeline.seal();
      case 'close':
        return this.#pipeline.close(this.#now);
      case 'broken':
        for (let i = 0; i < 3; i++) tryBroken(this.#world, this.#now);
        return;
      case 'replay':
        this.#pipeline.settle();
        return this.#history.check(this.#params);
    }
  }

  #tick(): void {
    const { random, coverage } = this.#world;
    const due = this.#pair.kernel.dueAt;
    if (random.chance(0.03)) {
      this.#now -= random.int(20_000);
      coverage.rule('clock goes backwards');
    } else if (random.chance(0.04) && due > 0) this.#now = due + random.pick([-1, 0, 1]);
    else if (random.chance(0.01)) this.#now += random.pick([600_000, 700_000, 5_000_000]);
    else this.#now += random.pick([0, 0, 1, 3, 20, 90, 400]);
  }

  #begin(): void {
    this.#pipeline.begin(this.#now);
  }

  #post(commit: Plain): void {
    this.#door.post(encode(spell(commit, this.#world.random)), this.#now);
  }

  // ---- commits

  /** A commit of the proposal, whose `exp` and extras are now and then at an edge. A batch must be open. */
  #draft(proposal: Proposal): Draft {
    const { random } = this.#world;
    const tags = random.chance(0.15) ? someTags(random) : undefined;
    return {
      enclave: this.#params.enclave,
      ...proposal,
      exp: expOf(this.#pipeline.t, random),
      ...(tags && { tags }),
      ...(random.chance(0.12) && { alg: random.pick(['schnorr', 'ecdsa', 'ecdsa'] as const) }),
    };
  }

  #found(): void {
    const { random, people } = this.#world;
    const { creator, manifest, tags } = this.#founding;
    this.#begin();
    if (random.chance(0.15)) {
      return this.#post(commitOf(this.#draft({ from: random.pick(people), type: 'message', content: {} })));
    }
    if (random.chance(0.3)) return tryBroken(this.#world, this.#now);
    if (random.chance(0.1)) return this.#hostRequest();
    const from = this.#params.provisioned && random.chance(0.4) ? random.pick(people) : creator;
    const exp = this.#pipeline.t + 50_000;
    const { enclave } = this.#params;
    this.#post(commitOf({ enclave, from, type: 'Manifest', content: manifest, exp, ...(tags && { tags }) }));
  }

  get #nextSequencer(): Identity {
    return identity(`next ${hex(this.#params.enclave)} ${this.#generation + 1}`);
  }

  /** What somebody might commit next: anything, something that the rules allow, or what has seldom been tried. */
  #proposal(): { proposal: Proposal; verdict: Verdict } {
    const { random, coverage, people } = this.#world;
    const setting = {
      ...{ random, people, model: this.#model, head: this.#door.staged - 1, strangers: this.#strangers },
      ctRoot: this.#pipeline.settled || random.chance(0.5) ? hex(this.#pair.kernel.head().ctRoot) : EMPTY_ROOT,
      nextSequencer: this.#nextSequencer.hex,
    };
    const judged = (): { proposal: Proposal; verdict: Verdict } => {
      const proposal = propose(setting);
      return { proposal, verdict: this.#model.decide(proposal.type, proposal.content, proposal.from.hex) };
    };
    const aim = random.weighted({ any: 25, ok: 50, rare: 25 });
    if (aim === 'any') return judged();
    const candidates = Array.from({ length: aim === 'ok' ? 8 : 14 }, judged);
    if (aim === 'ok') return candidates.find(({ verdict }) => verdict.code === 'ok') ?? candidates[0]!;
    const rarity = ({ verdict }: { verdict: Verdict }): number =>
      Math.min(1e9, ...verdict.rules.map((rule) => coverage.rules.get(rule) ?? 0));
    return candidates.reduce((best, next) => (rarity(next) < rarity(best) ? next : best));
  }

  #commit(): void {
    const { random, people } = this.#world;
    if (this.#model.status === 'migrated' && random.chance(0.15)) return this.#takeOver();
    const { proposal, verdict } = this.#proposal();
    const ends = verdict.code === 'ok' && (proposal.type === 'Migrate' || proposal.type === 'Terminate');
    if (ends && this.#pipeline.sealed < YOUNG) return;
    if (ends && proposal.type === 'Migrate' && random.chance(0.8)) return this.#migrate(proposal);
    this.#begin();
    const draft = this.#draft(random.chance(0.94) ? proposal : { ...proposal, content: misshape(proposal, random) });
    let commit = commitOf(draft);
    if (random.chance(0.05)) commit = nearMiss(commit, draft, random.pick(people), random);
    if (random.chance(0.01)) commit = { ...commit, enclave: hex(random.bytes(32)) };
    if (random.chance(0.04))
      return this.#post([
        commit,
        commitOf(this.#draft(this.#proposal().proposal)),
        ...(random.chance(0.5) ? [commit] : []),
      ]);
    if (random.chance(0.9)) return this.#post(commit);
    if (random.chance(0.5)) delete commit['enclave'];
    this.#door.post(encode(spell(commit, random)), this.#now, 'post', this.#params.enclave);
  }

  /** As an operator would: close the bundle, then name the head that this leaves. */
  #migrate(proposal: Proposal): void {
    const { random } = this.#world;
    this.#pipeline.settle();
    this.#pipeline.close(this.#now);
    this.#pipeline.settle();
    this.#begin();
    const head = this.#pair.kernel.head();
    const content = {
      new_sequencer: this.#nextSequencer.hex,
      prev_seq: head.seq + (random.chance(0.15) ? 1 : 0),
      ct_root: random.chance(0.85) ? hex(head.ctRoot) : EMPTY_ROOT,
    };
    this.#post(commitOf({ ...this.#draft({ ...proposal, content }), exp: this.#pipeline.t + 1000 }));
  }

  /** The node that Migrate named opens the log under its own key. */
  #takeOver(): void {
    this.#pipeline.settle();
    const sequencer = this.#nextSequencer;
    const params = { ...this.#params, sequencer: sequencer.pub };
    const kernels = this.#history.reopen('take-over', params);
    this.#generation++;
    this.#params = params;
    this.#pipeline.sequencer = sequencer;
    this.#pipeline.takenOver = true;
    for (const { store } of this.#pair.sides) store.signer = sequencer;
    this.#pair.adopt(kernels);
    this.#model.status = 'active';
    this.#pair.compareState('take-over');
  }

  #retry(): void {
    const { random } = this.#world;
    const { sent } = this.#door;
    if (sent.length === 0) return;
    this.#door.post(random.pick(random.chance(0.7) ? sent.slice(-6) : sent), this.#now);
  }

  // ---- hostile bodies

  #hostile(): void {
    const { random, inspectors, narrow, people } = this.#world;
    const read = request(this.#readSetting());
    this.#begin();
    const commit = commitOf(this.#draft(this.#proposal().proposal));
    if (random.chance(0.06))
      return void this.#door.inspect(narrow, encode(JSON.stringify(overNarrow(commit, random))), 'post');
    if (random.chance(0.01)) return void this.#door.inspect(inspectors, encode(atLimit(commit, random)), 'post');
    const asRead = random.chance(0.45);
    const base: Plain = asRead ? read.body : random.chance(0.2) ? [commit, commit] : commit;
    const body = random.chance(0.55)
      ? encode(mutateJson(base, random))
      : mutateBytes(encode(JSON.stringify(base)), random);
    const path = random.chance(0.1) ? (random.chance(0.5) ? this.#params.enclave : random.pick(people).pub) : undefined;
    if (!asRead && random.chance(0.15)) return void this.#door.inspect(inspectors, body, 'snapshot', path);
    this.#door.post(body, this.#now, asRead ? read.mode : 'post', path);
  }

  // ---- reads

  #readSetting(): ReadSetting {
    const { random, people } = this.#world;
    const { events, closings } = this.#pair.store;
    return {
      ...{ random, people, now: this.#now, strangers: this.#strangers },
      enclave: hex(this.#params.enclave),
      sequencer: this.#pipeline.sequencer.pub,
      ids: events.map(({ id }) => id),
      losers: this.#model.losers,
      types: this.#model.manifest.types,
      head: this.#pipeline.sealed,
      bundles: closings.length,
      times: events.slice(-40).map(({ record }) => eventFields(record).timestamp),
      slots: [...this.#model.slots.values()],
      aliases: [...this.#model.gates.keys()],
    };
  }

  #request(): void {
    const { random } = this.#world;
    const { body, mode } = request(this.#readSetting());
    const byPath = mode !== 'post' && random.chance(0.3);
    if (byPath) delete body['enclave'];
    this.#door.post(encode(spell(body, random)), this.#now, mode, byPath ? this.#params.enclave : undefined);
  }

  /** Requests that the host makes itself: a tree head, a consistency proof. */
  #hostRequest(): void {
    const { random } = this.#world;
    this.#pipeline.settle();
    const bundles = this.#pair.store.closings.length;
    const kind = random.chance(0.4) ? REQUEST_STH : REQUEST_CONSISTENCY;
    const ir = new Uint8Array(kind === REQUEST_STH ? 144 : 160);
    view(ir).setUint32(0, ir.length, true);
    ir[6] = kind;
    ir.set(this.#params.enclave, 8);
    if (kind === REQUEST_CONSISTENCY) {
      const size = (): bigint =>
        BigInt(random.pick([-1, 0, 1, bundles, bundles + 1, random.int(bundles + 1), random.int(bundles + 1)]));
      view(ir).setBigInt64(144, size(), true);
      view(ir).setBigInt64(152, size(), true);
    }
    this.#door.requests++;
    this.#door.read(ir, this.#now);
  }

  // ---- the end

  /** What is checked at the end of every life: all of its history, and that a kernel without the key refuses commits. */
  finish(): void {
    const { random } = this.#world;
    this.#pipeline.settle();
    if (!this.#door.founded) return;
    if (random.chance(0.4)) this.#terminate();
    this.#history.check(this.#params);
    const { sequencer: _key, ...keyless } = this.#params;
    this.#pair.adopt(this.#history.reopen('read-only', keyless));
    this.#stageWithoutKey();
    for (let i = random.int(4); i > 0; i--) this.#request();
    this.#pair.dispose();
  }

  /** Ends the enclave, if somebody may, in the middle of a bundle. */
  #terminate(): void {
    const { random, people } = this.#world;
    const may = (person: Identity): boolean => this.#model.decide('Terminate', {}, person.hex).code === 'ok';
    const from = random.shuffled(people).find(may);
    for (const [type, who] of [
      ['message', random.pick(people)],
      ['Terminate', from],
      ['message', random.pick(people)],
    ] as const) {
      if (!who) continue;
      this.#begin();
      this.#post(commitOf(this.#draft({ from: who, type, content: {} })));
    }
    this.#pipeline.settle();
  }

  #stageWithoutKey(): void {
    const { coverage, inspectors } = this.#world;
    const body = encode(JSON.stringify(commitOf(this.#draft(this.#proposal().proposal))));
    const { kind, items } = this.#door.inspect(inspectors, body, 'post');
    const [ic] = items;
    if (kind !== 'commit' || !ic || codeOf(ic) !== 0) return;
    const [code] = this.#pair.both('stage without a key', ({ kernel }): [number, string, number] => {
      kernel.begin(0);
      const staged = kernel.stage(ic, STAGE_VERIFIED);
      const { detail } = kernel;
      const { length } = kernel.end();
      kernel.seal(new Uint8Array(0));
      return [staged, detail, length];
    })!;
    if (code > 0) coverage.error(code);
    if (code === errorNumber('enclave_read_only')) coverage.rule('read-only');
  }
}

function expOf(t: number, random: Random): number {
  switch (random.weighted({ near: 80, edge: 8, long: 12 })) {
    case 'near':
      return t + 1 + random.int(60_000);
    case 'long':
      return t + random.int(EXP_WINDOW);
    case 'edge':
      return random.pick([t - 1, t, t + 1, t + EXP_WINDOW, t + EXP_WINDOW + 1, 0, 2 ** 53 - 1]);
  }
}

function someTags(random: Random): string[][] {
  const over = [
    Array.from({ length: 33 }, () => ['x']),
    [Array.from({ length: 9 }, () => 'x')],
    [['ä'.repeat(129)]],
    [[]],
  ];
  const good = [
    [],
    [['t', 'a']],
    [
      ['topic', 'b', 'c'],
      ['e', hex(random.bytes(4))],
    ],
    [['t']],
    Array.from({ length: 32 }, (_, i) => [`${i}`]),
    [['ä'.repeat(128)]],
  ];
  return random.pick<string[][]>(random.chance(0.1) ? over : good);
}

/** More than the narrow inspectors take, or just not: in bytes or in commits. */
function overNarrow(commit: Record<string, Plain>, random: Random): Plain {
  return random.pick<Plain>([
    commit,
    Array.from({ length: random.pick([3, 4, 5]) }, () => commit),
    { ...commit, content: 'x'.repeat(random.pick([380, 1000])) },
  ]);
}

/** A body at, just under or just over the real limits. */
function atLimit(commit: Record<string, Plain>, random: Random): string {
  const room = 1024 * 1024 - JSON.stringify({ ...commit, content: '' }).length + random.pick([-1, 0, 1]);
  if (random.chance(0.5)) return JSON.stringify({ ...commit, content: 'x'.repeat(room) });
  return JSON.stringify(Array.from({ length: random.pick([999, 1000, 1001]) }, () => ({ ...commit, content: 1 })));
}
