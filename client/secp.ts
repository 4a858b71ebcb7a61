import { noble, type Signer, type Verifier } from '../protocol/secp.ts';

/**
 * The curve operations that the SDK needs: those of `protocol/secp.ts`, so every back end of the node fits too. The
 * default is plain JavaScript (about 2 ms a verification); where many events are verified, inject a faster one.
 */
export type Secp = Verifier & Signer;

export const nobleSecp: Secp = noble;
