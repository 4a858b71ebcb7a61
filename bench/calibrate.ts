import { openSecp256k1 } from '../shard/crypto/open.ts';

/** c: CPU of one BIP-340 verify + one sign by the fastest back end here, µs (ARCHITECTURE §6). One thread, about `ms`. */
export function calibrate(ms = 600): { c: number; backend: string } {
  const secp = openSecp256k1();
  const secret = Buffer.alloc(32, 7);
  const pub = secp.publicKey(secret) as Uint8Array;
  const hash = Buffer.alloc(32, 9);
  const key = secp.signingKey(secret);
  const sig = new Uint8Array(64);
  const round = (): void => {
    hash.writeUInt32LE((hash.readUInt32LE(0) + 1) >>> 0, 0);
    key?.signInto(hash, sig);
    if (!secp.verifySchnorr(pub, hash, sig)) throw new Error('the back end does not verify what it signs');
  };
  for (let i = 0; i < 200; i++) round();
  const start = process.cpuUsage();
  const until = performance.now() + ms;
  let rounds = 0;
  while (performance.now() < until) {
    for (let i = 0; i < 50; i++) round();
    rounds += 50;
  }
  const used = process.cpuUsage(start);
  return { c: (used.user + used.system) / rounds, backend: secp.name };
}
