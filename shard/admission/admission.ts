import { errorNumber } from '../../protocol/errors.ts';
import { MAX_ARRAY } from '../../protocol/limits.ts';
import { TokenBuckets } from './token-bucket.ts';

const FORBIDDEN = errorNumber('forbidden');
const RATE_LIMITED = errorNumber('rate_limited');

export interface AdmissionOptions {
  /** who may create enclaves: everybody, holders of the admin token, or these identities (and the admin) */
  readonly create: 'anyone' | 'admin' | ReadonlySet<string>;
  /** 0 = no limit, for each of these */
  readonly maxEnclavesPerCreator: number;
  readonly maxBytesPerEnclave: number;
  readonly maxLeavesPerEnclave: number;
  readonly commitsPerSecondPerEnclave: number;
  readonly commitsPerSecondPerAddress: number;
}

export interface AdmissionModules {
  /** enclaves that this identity has created here */
  readonly enclavesOf: (creator: Uint8Array) => Promise<number>;
  /** monotonic clock, ms */
  readonly now: () => number;
}

/** The limits of the operator. Each refusal is an error number of protocol/errors; 0 means come in. */
export class Admission {
  readonly #o: AdmissionOptions;
  readonly #m: AdmissionModules;
  readonly #enclaves: TokenBuckets;
  readonly #addresses: TokenBuckets;

  constructor(options: AdmissionOptions, modules: AdmissionModules) {
    this.#o = options;
    this.#m = modules;
    const { commitsPerSecondPerEnclave: e, commitsPerSecondPerAddress: a } = options;
    this.#enclaves = new TokenBuckets(e, Math.max(e, 1), modules.now);
    this.#addresses = new TokenBuckets(a, Math.max(a, MAX_ARRAY), modules.now);
  }

  /** commits/s per enclave; `name` is any unique name of it */
  enclaveRate(name: string): number {
    return this.#enclaves.take(name) ? 0 : RATE_LIMITED;
  }

  get limitsAddresses(): boolean {
    return this.#o.commitsPerSecondPerAddress > 0;
  }

  /** commits/s per address, for `count` commits of one body; a burst of one full array always fits */
  addressRate(address: string, count: number): number {
    return this.#addresses.take(address, count) ? 0 : RATE_LIMITED;
  }

  async mayCreate(creator: Uint8Array, admin: boolean): Promise<number> {
    const { create, maxEnclavesPerCreator } = this.#o;
    if (admin) return 0;
    if (create === 'admin') return FORBIDDEN;
    if (create !== 'anyone' && !create.has(Buffer.from(creator).toString('hex'))) return FORBIDDEN;
    if (maxEnclavesPerCreator === 0) return 0;
    return (await this.#m.enclavesOf(creator)) >= maxEnclavesPerCreator ? RATE_LIMITED : 0;
  }

  /** True when the enclave may not grow any more (STAGE_FULL). */
  full(bytes: number, leaves: number): boolean {
    const { maxBytesPerEnclave, maxLeavesPerEnclave } = this.#o;
    return (
      (maxBytesPerEnclave > 0 && bytes >= maxBytesPerEnclave) ||
      (maxLeavesPerEnclave > 0 && leaves >= maxLeavesPerEnclave)
    );
  }
}
