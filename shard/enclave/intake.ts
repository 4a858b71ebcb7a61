import {
  type EnclaveParams,
  type Inspector,
  type Kernel,
  type KernelHost,
  STAGE_ADMIN,
  TYPES,
} from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import type { Traced } from '../../tracing/traced.ts';
import type { Admission } from '../admission/admission.ts';
import type { SequencerKey } from '../signer/sequencer-key.ts';
import type { Signer } from '../signer/signer.ts';
import { EnclaveActor } from './actor.ts';
import { errorBytes } from './answers.ts';
import type { PendingCommit, Reply } from './commit.ts';
import { CommitTrace } from './commit-trace.ts';
import { EnclaveHost } from './enclave-host.ts';
import type { Enclaves } from './enclaves.ts';
import { createEnclave, EnclaveRegressed, type HydrateModules, storedMeta } from './hydrate.ts';
import { nameOf } from './name.ts';
import { type Target, Verifier } from './verifier.ts';

const TYPE_MANIFEST = TYPES.indexOf('Manifest');
const NOT_FOUND = errorNumber('enclave_not_found');
const OVERLOADED = errorNumber('overloaded');
const REGRESSED = errorNumber('enclave_regressed');
const UNAVAILABLE = errorNumber('unavailable');

/** Commits that may wait behind the Manifest of their enclave: one array of them. */
const MAX_BEHIND = 1000;

export interface IntakeOptions {
  /** bytes of inspected commits that may be under way at once; more are `overloaded` */
  readonly maxPendingBytes: number;
}

export interface IntakeModules extends HydrateModules {
  readonly enclaves: Enclaves;
  readonly signer: Signer;
  readonly admission: Admission;
  readonly pool: ConstructorParameters<typeof Verifier>[0];
  readonly inspector: Inspector;
  readonly newKernel: (host: KernelHost) => Kernel;
  readonly now: () => number;
}

/**
 * The way of a commit from the HTTP door to its enclave: admission, signature, actor. Manifests of enclaves that do
 * not exist yet go through a rehearsal first, so that a refused one leaves no trace.
 */
export class Intake {
  readonly #o: IntakeOptions;
  readonly #m: IntakeModules;
  readonly #verifier: Verifier;
  /** enclaves whose Manifest is on its way, and the commits that came behind it */
  readonly #expected = new Map<string, { manifests: number; behind: PendingCommit[] }>();
  readonly #creating = new Map<string, Promise<unknown>>();
  #bytes = 0;

  constructor(options: IntakeOptions, modules: IntakeModules) {
    this.#o = options;
    this.#m = modules;
    this.#verifier = new Verifier(modules.pool, (commit, target) => this.#prefetch(commit, target));
  }

  /** bytes of commits under way */
  get pendingBytes(): number {
    return this.#bytes;
  }

  get verifying(): number {
    return this.#verifier.waiting;
  }

  /** One inspected commit without an error of its own. `call`: the span of its call, null if it is not traced. */
  submit(ic: Uint8Array, admin: boolean, answer: Reply, call: Traced | null): void {
    if (this.#bytes + ic.length > this.#o.maxPendingBytes) return answer(OVERLOADED, errorBytes(OVERLOADED));
    const name = nameOf(ic.subarray(24, 56));
    const limited = this.#m.admission.enclaveRate(name);
    if (limited !== 0) return answer(limited, errorBytes(limited));
    this.#bytes += ic.length;
    const reply: Reply = (code, body) => {
      this.#bytes -= ic.length;
      answer(code, body);
    };
    const arrived = performance.now();
    const trace = call === null ? null : new CommitTrace(call, arrived);
    const commit: PendingCommit = { ic, flags: admin ? STAGE_ADMIN : 0, reply, arrived, trace };
    const actor = this.#m.enclaves.get(name);
    if (actor) return this.#verifier.add(commit, actor);
    this.#m.enclaves.open(ic.subarray(24, 56), (opened, error) => {
      if (trace !== null) trace.opened = performance.now();
      if (opened) return this.#verifier.add(commit, opened);
      if (error === NOT_FOUND && ic[7] === TYPE_MANIFEST) return this.#expect(name, commit);
      const expected = error === NOT_FOUND ? this.#expected.get(name) : undefined;
      if (expected && expected.behind.length < MAX_BEHIND) expected.behind.push(commit);
      else reply(error, errorBytes(error));
    });
  }

  #expect(name: string, commit: PendingCommit): void {
    const expected = this.#expected.get(name) ?? { manifests: 0, behind: [] };
    expected.manifests++;
    this.#expected.set(name, expected);
    this.#verifier.add(commit, this.#nursery);
  }

  /** A Manifest has been decided: what came behind it finds the enclave, or that there is none. */
  #decided(name: string, enclave: Uint8Array): void {
    const expected = this.#expected.get(name);
    if (!expected || --expected.manifests > 0) return;
    this.#expected.delete(name);
    for (const commit of expected.behind) {
      this.#m.enclaves.open(enclave, (opened, error) => {
        if (opened) this.#verifier.add(commit, opened);
        else commit.reply(error, errorBytes(error));
      });
    }
  }

  /** Where Manifests of unknown enclaves go once their signature has been looked at. */
  readonly #nursery: Target = {
    push: (commit) => {
      const name = nameOf(commit.ic.subarray(24, 56));
      const before = this.#creating.get(name) ?? Promise.resolve();
      const created = before.then(() => this.#create(commit));
      this.#creating.set(name, created);
      void created.finally(() => {
        this.#decided(name, commit.ic.slice(24, 56));
        if (this.#creating.get(name) === created) this.#creating.delete(name);
      });
    },
    pump: () => {},
  };

  async #create(commit: PendingCommit): Promise<void> {
    const { ic } = commit;
    const enclave = ic.slice(24, 56);
    const existing = await this.#m.enclaves.actor(enclave);
    if (existing instanceof EnclaveActor) {
      existing.push(commit);
      return existing.pump();
    }
    if (existing !== NOT_FOUND) return commit.reply(existing, errorBytes(existing));
    try {
      const provisioned = await this.#m.signer.lookup(enclave);
      const seed = ic.slice(216, 248);
      const sequencer = provisioned?.key ?? this.#m.signer.derive(seed);
      const params = {
        enclave,
        lane: 0,
        sequencer: sequencer.public,
        expWindow: this.#m.expWindow,
        ...(provisioned?.provisioned
          ? { provisioned: provisioned.creator ? { creator: provisioned.creator } : {} }
          : {}),
      };
      const { code, detail } = this.#rehearse(commit, sequencer, params);
      if (code !== 0) return commit.reply(code, errorBytes(code, detail));
      const creator = ic.slice(56, 88);
      const refused = await this.#m.admission.mayCreate(creator, (commit.flags & STAGE_ADMIN) !== 0);
      if (refused !== 0) return commit.reply(refused, errorBytes(refused));
      // All of it durable before the first append; none of it is shown to anyone.
      const [state] = await Promise.all([
        createEnclave({ enclave, lane: 0 }, sequencer, params, this.#m),
        provisioned ? null : this.#m.signer.adopt(enclave, seed, creator, sequencer),
      ]);
      const actor = this.#m.enclaves.adopt(state);
      actor.push(commit);
      actor.pump();
      await new Promise<void>((resolve) => actor.whenReleased(() => resolve()));
    } catch (error) {
      const code = error instanceof EnclaveRegressed ? REGRESSED : UNAVAILABLE;
      commit.reply(code, errorBytes(code));
    }
  }

  /** What a kernel says to the Manifest. */
  #rehearse(commit: PendingCommit, sequencer: SequencerKey, params: EnclaveParams): { code: number; detail: string } {
    const kernel = this.#m.newKernel(new EnclaveHost(this.#m.secp, this.#m.sessions, sequencer));
    kernel.create(params);
    kernel.begin(this.#m.now());
    const code = kernel.stage(commit.ic, commit.flags);
    const detail = code === 0 ? '' : kernel.detail;
    kernel.dispose();
    return { code, detail };
  }

  async #prefetch(commit: PendingCommit, target: Target): Promise<void> {
    if (!(target instanceof EnclaveActor)) return;
    const id = commit.ic.slice(216, 248);
    if (target.host.knows(id)) return;
    const meta = await storedMeta(target.key, id, target.released.seq, this.#m.log);
    if (meta) target.host.remember(id, meta);
  }
}
