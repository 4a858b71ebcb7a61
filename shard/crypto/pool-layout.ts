/**
 * Shared memory between the pool and one worker: a ring of slots, filled by the main thread in order and worked off in
 * order, so two counters are all the coordination there is.
 *
 * control (Int32): [PUBLISHED] slots handed over so far, [DONE] slots finished so far, [STOP] 1 = leave.
 * slot: SLOT_JOBS records of RECORD bytes, SLOT_JOBS bytes (op of the job, afterwards its result: 1 good, 0 bad), u32 count.
 * record (136 bytes): u8 alg, 3 zero, u32 key slot (sign) | 32 bytes pub, or a new key's secret | hash32 | sig64.
 */
export const PUBLISHED = 0;
export const DONE = 1;
export const STOP = 2;
export const CONTROL_WORDS = 3;

/** What a job is. Kept apart from the records, whose bytes come from callers. The result byte takes its place. */
export const OP_VERIFY = 2;
export const OP_SIGN = 3;
/** the record brings the secret of its key slot; the worker wipes it from shared memory at once */
export const OP_SIGN_WITH_NEW_KEY = 4;

export const RECORD = 136;
export const AT_KEY_SLOT = 4;
export const AT_PUB = 8;
export const AT_HASH = 40;
export const AT_SIG = 72;

/** Jobs in a slot: about 3 ms of native verification, long enough to pay for the hand-over many times. */
export const SLOT_JOBS = 64;
/** Slots per worker: one running, the others ready, so that a worker never waits for a busy main thread. */
export const SLOTS = 4; // a power of two: the counters wrap around at 2^31
/** Prepared keys a worker keeps (96 bytes each); the least recently used is overwritten. */
export const KEY_SLOTS = 1024;

export const AT_RESULTS = SLOT_JOBS * RECORD;
export const AT_COUNT = AT_RESULTS + SLOT_JOBS;
export const SLOT_BYTES = AT_COUNT + 8;

/** Where the slot of the n-th hand-over begins. */
export function slotOffset(n: number): number {
  return (n & (SLOTS - 1)) * SLOT_BYTES;
}

export interface WorkerMemory {
  readonly control: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
  /** one Int32 that every worker of the pool raises when it has finished a slot */
  readonly signal: SharedArrayBuffer;
}

export interface WorkerData {
  readonly memory: WorkerMemory;
  readonly backend: 'native' | 'wasm' | 'noble';
}

export function createMemory(signal: SharedArrayBuffer): WorkerMemory {
  return {
    control: new SharedArrayBuffer(CONTROL_WORDS * 4),
    slots: new SharedArrayBuffer(SLOTS * SLOT_BYTES),
    signal,
  };
}
