import {
  ACCEPTED,
  DUPLICATE,
  type EnclaveParams,
  IC_HASH_OK,
  type Inspection,
  type InspectMode,
  REQUEST_CONSISTENCY,
  REQUEST_QUERY,
  REQUEST_SEQUENCER,
  REQUEST_STH,
  STAGE_ADMIN,
  STAGE_FORGED,
  STAGE_FULL,
  STAGE_VERIFIED,
  TYPES,
} from '../../kernel/kernel.ts';
import { errorNumber, errorOf } from '../../protocol/errors.ts';
import { parseJson } from '../../protocol/json.ts';
import { readManifest } from '../../protocol/manifest.ts';
import { BREAKAGES } from './breakages.ts';
import { commitOf, type Draft, manifestIds, nearMiss, type Plain, spell } from './commits.ts';
import { History } from './history.ts';
import { mutateBytes, mutateJson } from './hostile.ts';
import { type Fields, fullManifest, randomManifest } from './manifests.ts';
import { Model, type Verdict } from './model.ts';
import { type Inspectors, Pair } from './pair.ts';
import { misshape, type Proposal, propose } from './proposals.ts';
import { Reads } from './reads.ts';
import { closingFields, codeOf, eventFields, icFields, split, view } from './records.ts';
import { hex, type Identity, identity, sign, verify } from './ring.ts';
import { request } from './sessions.ts';
import type { World } from './world.ts';

const EXP_WINDOW = 600_000;
const MAX_IN_FLIGHT = 3;
const encode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf8'));
const EMPTY_ROOT = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const SETTLED = new Set([
  'ok',
  'forbidden',
  'gate_closed',
  'state_mismatch',
  'rank',
  'owner_must_transfer',
  'no_change',
  'deleted',
  'event_not_found',
  'enclave_paused',
  'enclave_terminated',
  'enclave_migrated',
]);

interface Sent {
  readonly body: Uint8Array;
  readonly exp: number;
}

/** The life of one enclave in both kernels, from its Manifest to wherever `requests` random steps lead it. */
export class Life {
  readonly world: World;
  readonly pair: Pair;
  readonly enclave: Uint8Array;
  requests = 0;
  now: number;
  sequencer: Identity;
  #params: EnclaveParams;
  #model: Model;
  readonly #history: History;
  readonly #reads: Reads;
  readonly #manifest: Fields;
  readonly #creator: Identity;
  readonly #tags: string[][] | undefined;
  #generation = 0;
  #takenOver = false;
  /** inside begin … end */
  #open = false;
  #batchT = 0;
  #byHand = false;
  readonly #pending: Uint8Array[] = [];
  #staged = 0;
  #sealed = -1;
  #founded = false;
  readonly #sent: Sent[] = [];
  readonly #strangers: string[];

  constructor(world: World) {
    this.world = world;
    const { random, people } = world;
    this.now = 1_700_000_000_000 + random.int(1_000_000);
    this.#creator = random.pick(people);
    this.#tags = random.chance(0.2) ? [['topic', 'a']] : undefined;
    let manifest = random.chance(0.1) ? fullManifest(people) : randomManifest(random, people);
    const { seed } = manifestIds(this.#creator, manifest as Plain, this.#tags);
    this.sequencer = identity(`sequencer ${hex(seed)}`);
    if (random.chance(0.3)) manifest = { ...manifest, sequencer: this.sequencer.hex };
    const { enclave } = manifestIds(this.#creator, manifest as Plain, this.#tags);
    this.#manifest = manifest;
    const provisioned = random.chance(0.2) ? (random.chance(0.5) ? { creator: this.#creator.pub } : {}) : undefined;
    this.enclave = provisioned ? random.bytes(32) : enclave;
    this.#params = {
      enclave: this.enclave,
      lane: 0,
      sequencer: this.sequencer.pub,
      expWindow: EXP_WINDOW,
      ...(provisioned && { provisioned }),
    };
    this.pair = new Pair(world.runtimes, this.sequencer);
    this.pair.both('create', ({ kernel }) => kernel.create(this.#params));
    const content = parseJson(encode(JSON.stringify(manifest)), 64)!.value;
    const compiled = readManifest(content, this.sequencer.hex);
    if (!compiled.ok) throw new Error(`the generator made an invalid Manifest at ${compiled.path}`);
    this.#model = new Model(compiled.manifest);
    this.#history = new History(world, this.pair, this.enclave);
    this.#reads = new Reads(world, this.pair);
    this.#strangers = Array.from({ length: 3 }, () => hex(random.bytes(32)));
  }

  /** One step: a commit, a request, or something the host does. */
  step(): void {
    const { random } = this.world;
    this.#tick();
    if (!this.#founded) return this.#found();
    const kind = random.weighted({
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
    });
    switch (kind) {
      case 'commit':
        return this.#commit();
      case 'retry':
        return this.#retry();
      case 'hostile':
        return this.#hostile();
      case 'read':
        return this.#request();
      case 'head':
        return this.#hostRequest();
      case 'end':
        return this.#end();
      case 'seal':
        return this.#seal();
      case 'close':
        return this.#close();
      case 'broken':
        for (let i = 0; i < 3; i++) this.#brokenManifest();
        return;
      case 'replay':
        this.settle();
        return this.#history.check(this.#params);
    }
  }

  #tick(): void {
    const { random, coverage } = this.world;
    if (random.chance(0.03)) {
      this.now -= random.int(20_000);
      coverage.rule('clock goes backwards');
    } else if (random.chance(0.04) && this.pair.kernel.dueAt > 0)
      this.now = this.pair.kernel.dueAt + random.pick([-1, 0, 1]);
    else if (random.chance(0.01)) this.now += random.pick([600_000, 700_000, 5_000_000]);
    else this.now += random.pick([0, 0, 1, 3, 20, 90, 400]);
  }

  // ---- the pipeline

  #begin(): void {
    if (this.#open) return;
    if (this.#pending.length === MAX_IN_FLIGHT) this.#seal();
    this.pair.both('begin', ({ kernel }) => kernel.begin(this.now));
    this.#open = true;
    this.#batchT = Math.max(this.now, this.pair.kernel.timestamp);
    this.pair.compareState('begin');
  }

  #end(): void {
    if (!this.#open) return;
    const hashes = this.pair.both('end', ({ kernel }) => kernel.end().slice())!;
    const signatures = new Uint8Array((hashes.length / 32) * 64);
    for (let i = 0; i < hashes.length / 32; i++)
      signatures.set(sign(this.sequencer, hashes.subarray(i * 32, i * 32 + 32)), i * 64);
    this.#pending.push(signatures);
    this.#open = false;
    if (this.#pending.length === MAX_IN_FLIGHT) this.world.coverage.rule('three batches in flight');
  }

  #seal(): void {
    const { coverage, inspectors, random } = this.world;
    const signatures = this.#pending.shift();
    if (!signatures) return;
    const sealed = this.pair.both('seal', (side) => {
      side.store.sealing = true;
      const batch = side.kernel.seal(signatures);
      side.store.sealing = false;
      const { events, closings, firstSeq, head, timestamp } = batch;
      const copy = {
        skeleton: batch.skeleton.slice(),
        content: batch.content.slice(),
        receipts: batch.receipts.slice(),
        offsets: batch.offsets.slice(),
      };
      side.store.add(copy);
      return { events, closings, firstSeq, head, timestamp, ...copy };
    })!;
    let index = 0;
    for (const record of split(sealed.skeleton)) {
      if (record[4] === 0) {
        const event = eventFields(record);
        this.#sealed = event.seq;
        this.#model.targets.set(hex(event.id), {
          type: event.name,
          from: hex(event.from),
          seq: event.seq,
          updated: false,
          deleted: false,
        });
        const receipt = sealed.receipts.subarray(sealed.offsets[index]!, sealed.offsets[index + 1]!);
        if (random.chance(0.2)) {
          const again = inspectors.receipt(this.enclave, record);
          if (hex(again) !== hex(receipt)) throw new Error('receipt() differs from the receipt of seal');
        }
        if (this.#takenOver) {
          this.#takenOver = false;
          coverage.rule('take-over: first event');
        }
        index++;
      } else if (record[4] === 1) this.#closed(record);
    }
    this.pair.compareState('seal');
  }

  #closed(record: Uint8Array): void {
    const { coverage } = this.world;
    const { size, firstSeq, t } = closingFields(record);
    const last = this.pair.store.events[firstSeq + size - 1]!;
    const { timestamp } = eventFields(last.record);
    if (last.name === 'Migrate' || last.name === 'Terminate') coverage.rule('bundle closed by lifecycle');
    else if (size === this.#model.manifest.size) coverage.rule('bundle closed by size');
    else if (this.#byHand && t === timestamp) coverage.rule('bundle closed by hand');
    else coverage.rule('bundle closed by time');
  }

  #close(): void {
    this.#begin();
    const closed = this.pair.both('closeBundle', ({ kernel }) => kernel.closeBundle());
    if (closed) {
      this.#byHand = true;
      this.world.coverage.rule('bundle closed by hand');
    }
    this.pair.compareState('closeBundle');
    this.#end();
  }

  /** Ends and seals all that is in flight. */
  settle(): void {
    this.#end();
    while (this.#pending.length > 0) this.#seal();
  }

  // ---- commits

  #draft(proposal: Proposal): Draft {
    const { random } = this.world;
    const T = this.#batchT;
    const exp = random.weighted({ near: 80, edge: 8, long: 12 });
    return {
      enclave: this.enclave,
      ...proposal,
      exp:
        exp === 'near'
          ? T + 1 + random.int(60_000)
          : exp === 'long'
            ? T + random.int(EXP_WINDOW)
            : random.pick([T - 1, T, T + 1, T + EXP_WINDOW, T + EXP_WINDOW + 1, 0, 2 ** 53 - 1]),
      ...(random.chance(0.15) && {
        tags: random.pick([
          [],
          [['t', 'a']],
          [
            ['topic', 'b', 'c'],
            ['e', hex(random.bytes(4))],
          ],
          [['t']],
          Array.from({ length: 32 }, (_, i) => [`${i}`]),
          [['ä'.repeat(128)]],
          ...(random.chance(0.15)
            ? [
                Array.from({ length: 33 }, () => ['x']),
                [Array.from({ length: 9 }, () => 'x')],
                [['ä'.repeat(129)]],
                [[]],
              ]
            : []),
        ]),
      }),
      ...(random.chance(0.12) && { alg: random.pick(['schnorr', 'ecdsa', 'ecdsa'] as const) }),
    };
  }

  #found(): void {
    const { random } = this.world;
    this.#begin();
    if (random.chance(0.15)) {
      const draft = this.#draft({ from: random.pick(this.world.people), type: 'message', content: {} });
      this.post(encode(spell(commitOf(draft), random)));
      return;
    }
    if (random.chance(0.3)) return this.#brokenManifest();
    if (random.chance(0.1)) return this.#hostRequest();
    const from = this.#params.provisioned && random.chance(0.4) ? random.pick(this.world.people) : this.#creator;
    const draft: Draft = {
      enclave: this.enclave,
      from,
      type: 'Manifest',
      content: this.#manifest as Plain,
      exp: this.#batchT + 50_000,
      ...(this.#tags && { tags: this.#tags }),
    };
    this.post(encode(spell(commitOf(draft), random)));
  }

  #brokenManifest(): void {
    const { random, coverage, people } = this.world;
    const breakage = random.pick(
      [...BREAKAGES]
        .sort((a, b) => (coverage.manifests.get(a.name) ?? 0) - (coverage.manifests.get(b.name) ?? 0))
        .slice(0, 12),
    );
    const content = breakage.broken({ ...fullManifest(people), nonce: `${breakage.name} ${random.u32()}` });
    const from = random.pick(people);
    const { enclave, seed } = manifestIds(from, content, undefined);
    const sequencer = identity(`sequencer ${hex(seed)}`);
    const pair = new Pair(this.world.runtimes, sequencer);
    pair.both('create', ({ kernel }) =>
      kernel.create({ enclave, lane: 0, sequencer: sequencer.pub, expWindow: EXP_WINDOW }),
    );
    const commit = commitOf({ enclave, from, type: 'Manifest', content, exp: this.now + 1000 });
    const inspection = this.world.inspectors.inspect(encode(spell(commit, random)), 'post');
    this.requests++;
    const ic = inspection.bytes;
    if (inspection.kind !== 'commit' || codeOf(ic) !== 0) return;
    const code = pair.both(`Manifest: ${breakage.name}`, ({ kernel }) => {
      kernel.begin(this.now);
      return [kernel.stage(ic, STAGE_VERIFIED), kernel.detail];
    })!;
    coverage.broken(breakage.name);
    coverage.error(code[0] as number);
    const valid = breakage.name.endsWith('(valid)');
    const expected = valid ? ACCEPTED : errorNumber('invalid_manifest');
    const detail = valid ? '' : `"path":${JSON.stringify(breakage.path)}`;
    if (code[0] !== expected || code[1] !== detail)
      this.world.surprises.push(`Manifest ${breakage.name}: expected ${expected} ${detail}, got ${code.join(' ')}`);
  }

  #proposal(): { proposal: Proposal; verdict: Verdict } {
    const { random, coverage, people } = this.world;
    const settled = !this.#open && this.#pending.length === 0;
    const setting = {
      random,
      model: this.#model,
      people,
      head: this.#staged - 1,
      ctRoot: settled || random.chance(0.5) ? hex(this.pair.kernel.head().ctRoot) : EMPTY_ROOT,
      nextSequencer: identity(`next ${hex(this.enclave)} ${this.#generation + 1}`).hex,
      strangers: this.#strangers,
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
    const { random, people } = this.world;
    if (this.#model.status === 'migrated' && random.chance(0.15)) return this.#takeOver();
    if (random.chance(0.002)) this.settle();
    const { proposal, verdict } = this.#proposal();
    if ((proposal.type === 'Migrate' || proposal.type === 'Terminate') && verdict.code === 'ok' && this.#sealed < 25)
      return;
    if (proposal.type === 'Migrate' && verdict.code === 'ok' && random.chance(0.8)) return this.#migrate(proposal);
    this.#begin();
    const shaped = random.chance(0.94);
    const content = shaped ? proposal.content : misshape(proposal, random);
    const draft = this.#draft({ ...proposal, content });
    let commit: Record<string, Plain> = commitOf(draft);
    const honest = random.chance(0.95);
    if (!honest) commit = nearMiss(commit, draft, random.pick(people), random);
    const elsewhere = random.chance(0.01);
    if (elsewhere) commit = { ...commit, enclave: hex(random.bytes(32)) };
    const body = encode(spell(commit, random));
    if (random.chance(0.04)) {
      const more = encode(spell(commitOf(this.#draft(this.#proposal().proposal)), random));
      return this.#array([body, more, ...(random.chance(0.5) ? [body] : [])]);
    }
    const byPath = random.chance(0.1) ? this.enclave : undefined;
    if (byPath && random.chance(0.5)) {
      delete commit['enclave'];
      return this.post(encode(spell(commit, random)), 'post', byPath);
    }
    this.post(body, 'post', byPath);
  }

  #array(bodies: readonly Uint8Array[]): void {
    this.post(
      new Uint8Array(
        Buffer.concat([
          encode('['),
          ...bodies.flatMap((body, i) => (i === 0 ? [body] : [encode(','), body])),
          encode(']'),
        ]),
      ),
    );
  }

  /** As an operator would: pause or not, close the bundle, then name the head that this leaves. */
  #migrate(proposal: Proposal): void {
    const { random } = this.world;
    this.settle();
    this.#close();
    this.settle();
    this.#begin();
    const head = this.pair.kernel.head();
    const content = {
      new_sequencer: identity(`next ${hex(this.enclave)} ${this.#generation + 1}`).hex,
      prev_seq: head.seq + (random.chance(0.15) ? 1 : 0),
      ct_root: random.chance(0.85) ? hex(head.ctRoot) : EMPTY_ROOT,
    };
    this.post(encode(spell(commitOf({ ...this.#draft({ ...proposal, content }), exp: this.#batchT + 1000 }), random)));
  }

  #takeOver(): void {
    this.settle();
    const next = identity(`next ${hex(this.enclave)} ${this.#generation + 1}`);
    const params = { ...this.#params, sequencer: next.pub };
    const kernels = this.#history.reopen('take-over', params);
    if (!kernels) throw new Error('take-over: both kernels refused the log');
    this.#generation++;
    this.sequencer = next;
    this.#params = params;
    for (const side of this.pair.sides) side.store.signer = next;
    this.pair.adopt(kernels);
    this.#model.status = 'active';
    this.#takenOver = true;
    this.pair.compareState('take-over');
  }

  #retry(): void {
    const { random } = this.world;
    if (this.#sent.length === 0) return;
    const recent = random.chance(0.7) ? this.#sent.slice(-6) : this.#sent;
    const { body } = random.pick(recent);
    this.post(body);
  }

  #hostile(): void {
    const { random, inspectors, narrow, people } = this.world;
    const read = request(this.#readSetting());
    const proposal = this.#proposal().proposal;
    this.#begin();
    const commit = commitOf(this.#draft(proposal));
    const useRead = random.chance(0.45);
    const base: Plain = useRead ? read.body : random.chance(0.2) ? [commit, commit] : commit;
    const mode: InspectMode = useRead ? read.mode : random.chance(0.15) ? 'snapshot' : 'post';
    const whole = encode(JSON.stringify(base));
    const body = random.chance(0.55) ? encode(mutateJson(base, random)) : mutateBytes(whole, random);
    const path = random.chance(0.1) ? (random.chance(0.5) ? this.enclave : random.pick(people).pub) : undefined;
    if (random.chance(0.06)) {
      const some = random.pick([
        commit,
        Array.from({ length: random.pick([3, 4, 5]) }, () => commit),
        { ...commit, content: 'x'.repeat(random.pick([380, 1000])) },
      ] as Plain[]);
      this.#countErrors(narrow.inspect(encode(JSON.stringify(some)), 'post'));
      this.requests++;
      return;
    }
    if (random.chance(0.01)) return this.#limits(inspectors, commit);
    if (mode === 'post' || useRead) this.post(body, mode, path);
    else {
      this.#countErrors(inspectors.inspect(body, mode, path));
      this.requests++;
    }
  }

  /** Commits at and just over the real limits. */
  #limits(inspectors: Inspectors, commit: Record<string, Plain>): void {
    const { random } = this.world;
    const bare = JSON.stringify({ ...commit, content: '' }).length;
    const size = 1024 * 1024 - bare + random.pick([-1, 0, 1]);
    const small = { ...commit, content: 1 };
    const body = random.chance(0.5)
      ? JSON.stringify({ ...commit, content: 'x'.repeat(size) })
      : JSON.stringify(Array.from({ length: random.pick([999, 1000, 1001]) }, () => small));
    this.#countErrors(inspectors.inspect(encode(body), 'post'));
    this.requests++;
  }

  #countErrors(inspection: Inspection): void {
    const { coverage } = this.world;
    if (inspection.kind === 'error') coverage.error(inspection.code);
    else
      for (const item of inspection.count > 0 ? split(inspection.bytes) : []) {
        const code = codeOf(item);
        if (code) coverage.error(code);
      }
  }

  /** One body from the outside: inspected by both, and whatever it turns out to be is carried out by both. */
  post(body: Uint8Array, mode: InspectMode = 'post', path?: Uint8Array): void {
    this.requests++;
    const inspection = this.world.inspectors.inspect(body, mode, path);
    this.#countErrors(inspection);
    if (inspection.kind === 'error' || inspection.count === 0) return;
    const items = split(inspection.bytes);
    if (inspection.kind === 'request') {
      if (codeOf(items[0]!) === 0) this.#read(items[0]!);
      return;
    }
    for (const ic of items) if (codeOf(ic) === 0) this.#stage(ic, inspection.kind === 'commit' ? body : null);
  }

  #stage(ic: Uint8Array, body: Uint8Array | null): void {
    const { random, coverage, surprises } = this.world;
    this.#begin();
    const commit = icFields(ic);
    const name = TYPES[commit.type] || commit.name;
    const good =
      (commit.flags & IC_HASH_OK) !== 0 &&
      verify(commit.flags & 4 ? 1 : 0, commit.from.slice(), commit.hash.slice(), commit.sig.slice());
    let flags = random.chance(0.85) ? (good ? STAGE_VERIFIED : STAGE_FORGED) : 0;
    const full = random.chance(0.03);
    if (full) flags |= STAGE_FULL;
    if (random.chance(name === 'Manifest' ? 0.5 : 0.03)) flags |= STAGE_ADMIN;
    const content = JSON.parse(commit.content) as Plain;
    let verdict: Verdict | null = null;
    if (this.#founded && name !== 'Manifest') {
      try {
        verdict = this.#model.decide(name, content, hex(commit.from));
      } catch {
        verdict = null;
      }
    }
    const last = this.#model.status;
    const [code, detail] = this.pair.both(
      `stage ${name} ${commit.content.slice(0, 400)} flags ${flags}`,
      ({ kernel }) => {
        const result = kernel.stage(ic, flags);
        return [
          result,
          result > 0 ? kernel.detail : String(result === ACCEPTED || result === DUPLICATE ? kernel.seq : ''),
        ] as const;
      },
    )!;
    this.pair.compareState(`stage ${name}`);
    if (body && (code <= 0 || random.chance(0.1))) {
      this.#sent.push({ body, exp: commit.exp });
      if (this.#sent.length > 200) this.#sent.shift();
    }
    if (code === DUPLICATE) {
      coverage.rule(Number(detail) > this.#sealed ? 'retry: unsealed' : 'retry: sealed');
      if (last === 'terminated' || last === 'migrated') coverage.rule('retry: after end of life');
      return;
    }
    if (code > 0) {
      coverage.error(code);
      const error = errorOf(code).code;
      if (error === 'expired' && body && this.#sent.some((sent) => sent.body === body)) coverage.rule('retry: expired');
      if (full && error === 'too_large') coverage.rule('quota: refused');
      if (name === 'Manifest' && this.#params.provisioned && error === 'forbidden')
        coverage.rule('provisioned: stranger');
      this.#noteRefusal(name, content, error, detail, verdict, commit.content, hex(commit.from));
      return;
    }
    coverage.event(commit.type);
    if (full) coverage.rule('quota: passes');
    this.#staged++;
    if (name === 'Manifest') {
      this.#founded = true;
      if (this.#params.provisioned)
        coverage.rule(this.#params.provisioned.creator ? 'provisioned: creator' : 'provisioned: admin');
      return;
    }
    if (verdict) for (const rule of verdict.rules) coverage.rule(rule);
    if (verdict?.code !== 'ok' && name !== 'Migrate')
      surprises.push(
        `${name} ${commit.content} by ${hex(commit.from).slice(0, 8)}: expected ${verdict?.code}, was accepted`,
      );
    if (name === 'Migrate') coverage.rule('migrate: done');
    this.#model.apply(name, content, hex(commit.from));
  }

  #noteRefusal(
    name: string,
    content: Plain,
    error: string,
    detail: string,
    verdict: Verdict | null,
    text: string,
    from: string,
  ): void {
    const { coverage, surprises } = this.world;
    if (name === 'Migrate' && error === 'state_mismatch') {
      const { prev_seq } = content as { prev_seq: number };
      coverage.rule(prev_seq === this.#staged - 1 ? 'migrate: ct_root' : 'migrate: prev_seq');
      return;
    }
    if (!verdict || !SETTLED.has(error)) return;
    if (verdict.code === error) {
      for (const rule of verdict.rules) coverage.rule(rule);
      if (verdict.op !== undefined && detail !== `"op":${verdict.op}`)
        surprises.push(`AC_Bundle ${text}: expected op ${verdict.op}, got ${detail}`);
    } else surprises.push(`${name} ${text} by ${from.slice(0, 8)}: expected ${verdict.code}, got ${error} ${detail}`);
  }

  // ---- reads

  #readSetting() {
    const { random, people } = this.world;
    return {
      random,
      enclave: hex(this.enclave),
      sequencer: this.sequencer.pub,
      people,
      ids: this.pair.store.events.map(({ id }) => id),
      strangers: this.#strangers,
      types: this.#model.manifest.types,
      head: this.#sealed,
      bundles: this.pair.store.closings.length,
      now: this.now,
      times: this.pair.store.events.slice(-40).map(({ record }) => eventFields(record).timestamp),
      slots: [...this.#model.slots.values()],
      aliases: [...this.#model.gates.keys()],
    };
  }

  #request(): void {
    const { random } = this.world;
    const { body, mode } = request(this.#readSetting());
    const byPath = mode !== 'post' && random.chance(0.3);
    if (byPath) delete body['enclave'];
    this.post(encode(spell(body, random)), mode, byPath ? this.enclave : undefined);
  }

  #read(ir: Uint8Array): void {
    const { random } = this.world;
    const kind = ir[6]!;
    // Answered by the host, which holds the master secret; inspect has made the key's seed.
    if (kind === REQUEST_SEQUENCER) return this.world.coverage.rule('sequencer');
    if (kind !== REQUEST_QUERY || random.chance(0.8)) this.settle();
    this.#reads.answer(ir, this.now, this.#model);
    this.pair.compareState(`request ${kind}`);
  }

  /** Requests that the host makes itself: a tree head, a consistency proof. */
  #hostRequest(): void {
    const { random } = this.world;
    this.settle();
    const bundles = this.pair.store.closings.length;
    const kind = random.chance(0.4) ? REQUEST_STH : REQUEST_CONSISTENCY;
    const ir = new Uint8Array(kind === REQUEST_STH ? 144 : 160);
    view(ir).setUint32(0, ir.length, true);
    ir[6] = kind;
    ir.set(this.enclave, 8);
    if (kind === REQUEST_CONSISTENCY) {
      const some = (): bigint =>
        BigInt(random.pick([-1, 0, 1, bundles, bundles + 1, random.int(bundles + 1), random.int(bundles + 1)]));
      view(ir).setBigInt64(144, some(), true);
      view(ir).setBigInt64(152, some(), true);
    }
    this.requests++;
    this.#reads.answer(ir, this.now, this.#model);
  }

  /** Ends the enclave, if somebody may, in the middle of a bundle. */
  #terminate(): void {
    const { random, people } = this.world;
    const from = random
      .shuffled(people)
      .find((person) => this.#model.decide('Terminate', {}, person.hex).code === 'ok');
    for (const [type, who] of [
      ['message', random.pick(people)],
      ['Terminate', from],
      ['message', random.pick(people)],
    ] as const) {
      if (!who) continue;
      this.#begin();
      this.post(encode(spell(commitOf(this.#draft({ from: who, type, content: {} })), random)));
    }
    this.settle();
  }

  /** What is checked at the end of every life: all of its history, and that a kernel without the key refuses commits. */
  finish(): void {
    const { random, coverage } = this.world;
    this.settle();
    if (!this.#founded) return;
    if (random.chance(0.4)) this.#terminate();
    this.#history.check(this.#params);
    const { sequencer: _key, ...keyless } = this.#params;
    const kernels = this.#history.reopen('read-only', keyless);
    if (!kernels) return;
    this.pair.adopt(kernels);
    const draft = this.#draft(this.#proposal().proposal);
    const { bytes, kind } = this.world.inspectors.inspect(encode(JSON.stringify(commitOf(draft))), 'post');
    if (kind !== 'commit' || codeOf(bytes) !== 0) return;
    const [code] = this.pair.both('stage without a key', ({ kernel }) => {
      kernel.begin(0);
      const staged = kernel.stage(bytes, STAGE_VERIFIED);
      const { length } = kernel.end();
      kernel.seal(new Uint8Array(0));
      return [staged, kernel.detail, length];
    })!;
    coverage.error(code as number);
    if (code === errorNumber('enclave_read_only')) coverage.rule('read-only');
    for (let i = random.int(4); i > 0; i--) this.#request();
  }
}
