/** All that the kernel imports (PROTOCOL §11). */

/** Signs the hash into `sig` (64 bytes): 0 done, 1 deferred, < 0 refused. */
// @ts-ignore: decorator
@external("host", "host_sign_seq")
export declare function hostSignSeq(hash: usize, sig: usize): i32;

/** Is the signature good? alg 0 schnorr, 1 ecdsa. */
// @ts-ignore: decorator
@external("host", "host_verify")
export declare function hostVerify(alg: i32, pub: usize, hash: usize, sig: usize): i32;

/** The stored event with this id into `out` (at least 128 bytes): its length, 0 if there is none. */
// @ts-ignore: decorator
@external("host", "host_event_meta")
export declare function hostEventMeta(id: usize, out: usize): i32;
