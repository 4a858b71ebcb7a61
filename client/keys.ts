import { nobleSecp, type Secp } from './secp.ts';

/** Someone who can sign: the secret itself stays inside, and neither JSON nor a log line shows it. */
export interface Key {
  /** x-only public key, 64 hex digits: the identity (PROTOCOL §2). */
  readonly id: string;
  /** Signs a 32-byte hash. A key may live elsewhere (an extension, a hardware token), hence the promise. */
  sign(hash: Uint8Array, alg?: 'schnorr' | 'ecdsa'): Uint8Array | Promise<Uint8Array>;
}

/** A key from its 32 secret bytes. Throws if they are not a secp256k1 secret. */
export function keyFromSecret(secret: Uint8Array, secp: Secp = nobleSecp): Key {
  const own = secret.slice();
  const pub = own.length === 32 ? secp.publicKey(own) : null;
  if (!pub) throw new TypeError('These 32 bytes are no secret key (it must be in 1 … n−1 of secp256k1).');
  const id = Array.from(pub, (b) => b.toString(16).padStart(2, '0')).join('');
  return Object.freeze({
    id,
    sign: (hash: Uint8Array, alg: 'schnorr' | 'ecdsa' = 'schnorr') =>
      alg === 'ecdsa' ? secp.signEcdsa(own, hash) : secp.signSchnorr(own, hash),
  });
}

/** A key from 64 hex digits. */
export function keyFromHex(hex: string, secp?: Secp): Key {
  if (!/^[0-9a-fA-F]{64}$/.test(hex)) throw new TypeError('A secret key is written as 64 hex digits.');
  return keyFromSecret(
    Uint8Array.from(hex.match(/../g) ?? [], (d) => Number.parseInt(d, 16)),
    secp,
  );
}

/** 32 fresh secret bytes from the system's random source, always a valid secret. */
export function newSecret(secp: Secp = nobleSecp): Uint8Array {
  for (;;) {
    const secret = crypto.getRandomValues(new Uint8Array(32));
    if (secp.publicKey(secret)) return secret;
  }
}

/** A fresh key. Use `newSecret` where the secret must be kept. */
export function generateKey(secp?: Secp): Key {
  return keyFromSecret(newSecret(secp), secp);
}
