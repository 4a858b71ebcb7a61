import type { KernelHost } from '../../kernel/kernel.ts';
import type { Secp256k1 } from '../crypto/crypto.ts';
import type { SequencerKey } from '../signer/sequencer-key.ts';
import { nameOf } from './name.ts';

/** Metas of events that Update, Delete and reads refer to; fetched before the kernel asks. Bounded, oldest out first. */
const MAX_METAS = 8192;

/** Session signatures that were good lately: a reader sends the same token with every request. */
const MAX_SESSIONS = 10_000;

/** Verified (key, hash, signature) triples of sessions, shared by all enclaves of the process. */
export class SessionCache {
  readonly #good = new Set<string>();

  check(secp: Secp256k1, alg: number, pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean {
    const name = nameOf(pub) + nameOf(hash) + nameOf(sig);
    if (this.#good.has(name)) return true;
    const good = alg === 0 ? secp.verifySchnorr(pub, hash, sig) : secp.verifyEcdsa(pub, hash, sig);
    if (!good) return false;
    if (this.#good.size >= MAX_SESSIONS) this.#good.delete(this.#good.values().next().value as string);
    this.#good.add(name);
    return true;
  }
}

/** What one kernel instance may ask of the host (PROTOCOL §11). */
export class EnclaveHost implements KernelHost {
  readonly #secp: Secp256k1;
  readonly #sessions: SessionCache;
  readonly #sequencer: SequencerKey | null;
  readonly #metas = new Map<string, Uint8Array>();
  readonly #kept = new Map<string, Uint8Array>();
  /** tree heads are signed at once, while a batch is sealed; event hashes go to the pool */
  sealing = false;

  constructor(secp: Secp256k1, sessions: SessionCache, sequencer: SequencerKey | null) {
    this.#secp = secp;
    this.#sessions = sessions;
    this.#sequencer = sequencer;
  }

  signSeq(hash: Uint8Array, sig: Uint8Array): number {
    if (!this.#sequencer) return -1;
    if (!this.sealing) return 1;
    sig.set(this.#sequencer.sign(hash));
    return 0;
  }

  verify(alg: number, pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean {
    return this.#sessions.check(this.#secp, alg, pub, hash, sig);
  }

  eventMeta(id: Uint8Array, out: Uint8Array): number {
    const name = nameOf(id);
    const meta = this.#metas.get(name) ?? this.#kept.get(name);
    if (!meta) return 0;
    out.set(meta);
    return meta.length;
  }

  knows(id: Uint8Array): boolean {
    return this.#metas.has(nameOf(id));
  }

  /** Like `remember`, but for good: a replayed file has no log to ask again. */
  keep(id: Uint8Array, meta: Uint8Array): void {
    this.#kept.set(nameOf(id), meta);
  }

  remember(id: Uint8Array, meta: Uint8Array): void {
    if (this.#metas.size >= MAX_METAS) this.#metas.delete(this.#metas.keys().next().value as string);
    this.#metas.set(nameOf(id), meta);
  }
}
