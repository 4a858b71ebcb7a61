import { writeCommand } from './encode.ts';
import { isReplyError, Replies, type Reply } from './link.ts';
import { RedisUnknown } from './redis-errors.ts';
import type { Write } from './write-group.ts';

/** The reads of one tick, written as one piece; each is answered as its reply comes. */
export class ReadBatch extends Replies {
  readonly #reads: readonly Write[];
  readonly #onReply: (batch: ReadBatch, left: number) => void;
  /** performance.now() after which it is late */
  readonly expires: number;
  #answered = 0;

  constructor(reads: readonly Write[], expires: number, onReply: (batch: ReadBatch, left: number) => void) {
    super();
    this.#reads = reads;
    this.expires = expires;
    this.#onReply = onReply;
  }

  get commands(): number {
    return this.#reads.length;
  }

  encode(): Buffer {
    let bytes = 0;
    for (const read of this.#reads) bytes += read.bytes;
    const out = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const read of this.#reads) at = writeCommand(out, read.parts, at);
    return out;
  }

  override resolve(reply: Reply): void {
    this.#answer(reply);
  }

  override reject(error: Error): void {
    const server = isReplyError(error);
    this.#answer(new RedisUnknown(server ? 'refused' : 'lost', server ? error.message : 'The connection has ended.'));
  }

  /** What is left of it is unknown. */
  fail(unknown: RedisUnknown): void {
    while (this.#answered < this.#reads.length) this.#answer(unknown);
  }

  #answer(reply: Reply | RedisUnknown): void {
    const read = this.#reads[this.#answered];
    if (read === undefined) return;
    this.#answered++;
    this.#onReply(this, this.#reads.length - this.#answered);
    read.done(reply);
  }
}
