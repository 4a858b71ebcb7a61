import type { LogKey } from './enclave-log.ts';

/** Stored bytes that do not check: flipped bits, a torn file, a row under another key. Names the enclave and the seq. */
export class LogDamaged extends Error {
  override readonly name = 'LogDamaged';
  readonly key: LogKey | null;
  /** first seq of the damaged batch, −1 when the damage is not in a batch */
  readonly seq: number;

  constructor(key: LogKey | null, seq: number, what: string) {
    const where = key === null ? '' : ` of enclave ${Buffer.from(key.enclave).toString('hex')} lane ${key.lane}`;
    super(
      `The ${what}${where}${seq < 0 ? '' : ` at seq ${seq}`} is damaged: recover the enclave from a snapshot or from any client's copy.`,
    );
    this.key = key;
    this.seq = seq;
  }
}

/** The folder was written by a newer version, or is no log of ours. */
export class LogFormat extends Error {
  override readonly name = 'LogFormat';
}

/** The write was refused or its outcome is unknown: reopen the enclave and read the truth. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
  readonly result: 'fenced' | 'unknown';

  constructor(result: 'fenced' | 'unknown') {
    super(
      result === 'fenced'
        ? 'Another owner has taken this enclave over.'
        : 'The outcome of the write is unknown: reopen the enclave.',
    );
    this.result = result;
  }
}

/** The recents of a checkpoint do not follow on what is stored: make it again with recentFrom 0. */
export class CheckpointGap extends Error {
  override readonly name = 'CheckpointGap';

  constructor() {
    super('The recents do not follow on the previous checkpoint: pass all of them, from seq 0.');
  }
}

/** The enclave has been moved to another log server. */
export class LogMoved extends Error {
  override readonly name = 'LogMoved';

  constructor() {
    super('This enclave has been moved to another log server: start the node with the new list of servers.');
  }
}
