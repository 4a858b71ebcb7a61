import {
  ACCEPTED,
  DUPLICATE,
  IC_ALG,
  IC_ECDSA,
  IC_HASH_OK,
  type Inspection,
  type InspectMode,
  type Inspector,
  type Kernel,
  REQUEST_CONSISTENCY,
  REQUEST_PULL,
  REQUEST_QUERY,
  REQUEST_SEQUENCER,
  REQUEST_STH,
  STAGE_ADMIN,
  STAGE_FORGED,
  STAGE_FULL,
  STAGE_VERIFIED,
} from '../../kernel/kernel.ts';
import { errorOf } from '../../protocol/errors.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { commitOf, type Draft, manifestIds, type Plain } from '../parity/commits.ts';
import { type Fields, fullManifest, randomManifest } from '../parity/manifests.ts';
import { canon, type Runtime } from '../parity/pair.ts';
import type { Random } from '../parity/random.ts';
import { codeOf, split } from '../parity/records.ts';
import { hex, type Identity, identity, sign } from '../parity/ring.ts';
import { Store } from '../parity/store.ts';
import { type Answers, Crash } from './target.ts';

const secp = openSecp256k1();
export const LIMITS = { maxCommit: 1024 * 1024, maxArray: 1000 };
export const PEOPLE: readonly Identity[] = Array.from({ length: 10 }, (_, i) => identity(`fuzz ${i}`));
const SEQUENCER = identity('fuzz sequencer');
const EXP_WINDOW = 600_000;
const INTERNAL = 36;
/** Rounds of needs that one read may ask for. */
const MAX_ROUNDS = 16;
/** A single input that keeps a kernel this long blocks everybody else, ms. */
const TOO_SLOW_MS = 2000;

interface Side {
  readonly name: string;
  readonly inspector: Inspector;
  readonly store: Store;
  readonly kernel: Kernel;
}

/**
 * One enclave in a live kernel, or in two that must agree, with its log in memory. Whatever is fed to it is inspected,
 * then staged, sealed and stored, or read, as a node would do; every promise that can be checked on the way is checked.
 */
export class Scene {
  readonly random: Random;
  readonly enclave: Uint8Array;
  readonly enclaveHex: string;
  readonly sequencer = SEQUENCER;
  readonly manifest: Fields;
  now: number;
  /** bodies that were accepted, for retries */
  readonly accepted: Uint8Array[] = [];
  readonly #answers: Answers;
  #sides: Side[];
  #hash: Uint8Array;
  #leaves = 0;
  #told = '';

  constructor(random: Random, runtimes: readonly Runtime[], inspectors: readonly Inspector[], answers: Answers) {
    this.random = random;
    this.#answers = answers;
    this.now = 1_700_000_000_000 + random.int(1_000_000_000);
    this.manifest = random.chance(0.2) ? fullManifest(PEOPLE) : randomManifest(random, PEOPLE);
    const creator = random.pick(PEOPLE);
    this.enclave = manifestIds(creator, this.manifest as Plain, undefined).enclave;
    this.enclaveHex = hex(this.enclave);
    this.#sides = runtimes.map((runtime, i) => {
      const store = new Store(SEQUENCER);
      const kernel = runtime.kernel(store);
      kernel.create({ enclave: this.enclave, lane: 0, sequencer: SEQUENCER.pub, expWindow: EXP_WINDOW });
      return { name: runtime.name, inspector: inspectors[i] as Inspector, store, kernel };
    });
    this.#hash = this.kernel.stateHash().slice();
    const founding: Draft = {
      enclave: this.enclave,
      from: creator,
      type: 'Manifest',
      content: this.manifest as Plain,
      exp: this.now + 60_000,
    };
    this.feed(new Uint8Array(Buffer.from(JSON.stringify(commitOf(founding)))), 'post');
    if (this.store.events.length !== 1) throw new Error('the enclave was not founded');
  }

  get kernel(): Kernel {
    return (this.#sides[0] as Side).kernel;
  }

  get store(): Store {
    return (this.#sides[0] as Side).store;
  }

  /** Ended for good: only retries are answered otherwise than with its end. */
  get over(): boolean {
    return this.kernel.status === 'terminated' || this.kernel.status === 'migrated';
  }

  /** Goes on without the second kernel. */
  alone(): void {
    this.#sides = this.#sides.slice(0, 1);
  }

  /** Puts a body through; returns the code that it (or its last element) was answered with. Throws `Crash`. */
  feed(body: Uint8Array, mode: InspectMode, pathEnclave?: Uint8Array): string {
    const begun = performance.now();
    try {
      this.#feed(body, mode, pathEnclave);
    } catch (error) {
      throw error instanceof Crash ? error : new Crash(`${mode}${pathEnclave ? ' by path' : ''}`, body, error);
    }
    const took = performance.now() - begun;
    if (took > TOO_SLOW_MS) throw new Crash(`took ${took.toFixed(0)} ms`, body);
    return this.#told;
  }

  #feed(body: Uint8Array, mode: InspectMode, pathEnclave?: Uint8Array): void {
    const inspection = this.#same('inspect', ({ inspector }) => {
      const { kind, code, count, bytes } = inspector.inspect(body, mode, pathEnclave);
      return { kind, code, count, bytes: bytes.slice() };
    });
    if (inspection.kind === 'error') return this.#note(inspection.code);
    if (inspection.kind === 'request') return this.#read(inspection);
    this.#commit(inspection, body, mode);
  }

  #commit(inspection: Inspection, body: Uint8Array, mode: InspectMode): void {
    const ics = split(inspection.bytes);
    if (ics.length !== inspection.count) throw new Error(`${inspection.count} commits told, ${ics.length} there`);
    for (const ic of ics) if (codeOf(ic) !== 0) this.#note(codeOf(ic));
    const good = ics.filter((ic) => codeOf(ic) === 0);
    if (good.length === 0 || mode === 'snapshot') return;
    this.#same('begin', ({ kernel }) => kernel.begin(this.now));
    this.#unchanged('begin');
    let accepted = 0;
    for (const ic of good) {
      // The host hands a commit to the enclave that it names.
      if (hex(ic.subarray(24, 56)) !== this.enclaveHex) continue;
      const flags = this.#flags(ic);
      const code = this.#same('stage', ({ kernel }) => {
        const result = kernel.stage(ic, flags);
        return { result, detail: result > 0 ? kernel.detail : '', seq: result <= 0 ? kernel.seq : -1 };
      }).result;
      if (code === ACCEPTED) {
        accepted++;
        this.#hash = this.#same('stateHash', ({ kernel }) => kernel.stateHash().slice());
        this.#leaves = this.kernel.leaves;
      } else this.#unchanged(`stage answered ${code}`);
      this.#note(code === DUPLICATE ? 'duplicate' : code);
    }
    const hashes = this.#same('end', ({ kernel }) => kernel.end().slice());
    if (hashes.length !== accepted * 32) throw new Error(`${accepted} accepted, ${hashes.length / 32} to sign`);
    const signatures = new Uint8Array(accepted * 64);
    for (let i = 0; i < accepted; i++) signatures.set(sign(SEQUENCER, hashes.subarray(i * 32, i * 32 + 32)), i * 64);
    this.#same('seal', ({ kernel, store }) => {
      store.sealing = true;
      const sealed = kernel.seal(signatures);
      store.sealing = false;
      store.add(sealed);
      return sealed;
    });
    this.#unchanged('seal');
    if (accepted > 0 && this.accepted.length < 64) this.accepted.push(body);
    else if (accepted > 0) this.accepted[this.random.int(64)] = body;
  }

  #flags(ic: Uint8Array): number {
    const { random } = this;
    let flags = random.chance(0.02) ? STAGE_ADMIN : 0;
    if (this.store.events.length > 0 && random.chance(0.01)) flags |= STAGE_FULL;
    if (((ic[6] as number) & IC_HASH_OK) === 0 || random.chance(0.05)) return flags; // the kernel asks if it wants to know
    const ecdsa = ((ic[6] as number) & IC_ECDSA) !== 0 && ((ic[6] as number) & IC_ALG) !== 0;
    const pub = ic.subarray(56, 88);
    const hash = ic.subarray(88, 120);
    const sig = ic.subarray(120, 184);
    const verified = ecdsa ? secp.verifyEcdsa(pub, hash, sig) : secp.verifySchnorr(pub, hash, sig);
    return flags | (verified ? STAGE_VERIFIED : STAGE_FORGED);
  }

  #read({ bytes }: Inspection): void {
    const code = codeOf(bytes);
    if (code !== 0) return this.#note(code);
    const kind = bytes[6];
    if (kind === REQUEST_SEQUENCER) return this.#note('ok');
    if (kind === REQUEST_QUERY || kind === REQUEST_PULL) return this.#select(bytes);
    this.readOne(bytes);
  }

  /** Info, tree heads and proofs. */
  readOne(ir: Uint8Array): void {
    const answers: Uint8Array[] = [];
    for (let round = 0; ; round++) {
      if (round === MAX_ROUNDS) throw new Error('a read asks for ever');
      const result = this.#same('read', ({ kernel }) => {
        const read = kernel.read(ir, this.now, answers);
        return read.kind === 'json' ? { ...read, bytes: read.bytes.slice() } : read;
      });
      if (result.kind === 'need') {
        for (const need of result.needs) answers.push(this.store.answer(need));
        continue;
      }
      if (result.kind === 'json') JSON.parse(Buffer.from(result.bytes).toString('utf8'));
      this.#unchanged('read');
      return this.#note(result.kind === 'json' ? 'ok' : result.code);
    }
  }

  #select(ir: Uint8Array): void {
    const code = this.#same('openQuery', ({ kernel }) => kernel.openQuery(ir, this.now));
    if (code === 0) {
      const { events } = this.store;
      for (let i = 0; i < 4; i++) {
        const { record, content } = this.random.pick(events);
        const event = this.#same('select', ({ kernel }) => kernel.select(ir, record, content)?.slice() ?? null);
        if (event) JSON.parse(Buffer.from(event).toString('utf8'));
      }
    }
    this.#unchanged('query');
    this.#note(code);
  }

  /** Tree head and consistency, as the host asks for them. */
  heads(): void {
    const bytes = new Uint8Array(160);
    const v = new DataView(bytes.buffer);
    v.setUint32(0, 160, true);
    bytes[6] = this.random.chance(0.3) ? REQUEST_STH : REQUEST_CONSISTENCY;
    bytes.set(this.enclave, 8);
    const size = (): bigint =>
      BigInt(this.random.pick([0, 1, this.kernel.head().bundles, this.random.int(40), 2 ** 53 - 1]));
    v.setBigInt64(144, size(), true);
    v.setBigInt64(152, size(), true);
    this.readOne(bytes);
  }

  #note(code: number | string): void {
    if (code === INTERNAL) throw new Error('answered internal');
    this.#told = typeof code === 'string' ? code : code === 0 ? 'ok' : errorOf(code).code;
    this.#answers.note(this.#told);
  }

  /** What was not accepted changed nothing. */
  #unchanged(what: string): void {
    for (const { kernel, name } of this.#sides) {
      if (hex(kernel.stateHash()) !== hex(this.#hash) || (this.#leaves > 0 && kernel.leaves !== this.#leaves)) {
        throw new Error(`${what} changed the state of the ${name} kernel`);
      }
    }
  }

  #same<T>(what: string, call: (side: Side) => T): T {
    const [first, second] = this.#sides as [Side, Side | undefined];
    const answer = call(first);
    if (second) {
      const other = call(second);
      if (canon(answer) !== canon(other)) {
        throw new Error(
          `${what} differs: ${first.name} ${canon(answer).slice(0, 500)}, ${second.name} ${canon(other).slice(0, 500)}`,
        );
      }
    }
    return answer;
  }
}
