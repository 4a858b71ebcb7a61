import { connect, type Socket } from 'node:net';
import { chunkedEnd } from './chunked.ts';

export interface Answer {
  readonly status: number;
  /** with chunk sizes, if the answer came in chunks */
  readonly body: Buffer;
}

/** `total` of an answer whose end only its last chunk tells. */
const CHUNKED = -2;

/**
 * One keep-alive connection with one request under way, on a bare socket: the generator must cost little beside the
 * node that it measures. Understands what the node sends: content-length or chunks, no trailers.
 */
export class HttpLane {
  readonly #socket: Socket;
  #waiting: ((answer: Answer | null) => void) | null = null;
  #chunks: Buffer[] = [];
  #size = 0;
  #total = -1;
  #bodyAt = 0;
  #chunkAt = 0;
  #status = 0;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk) => this.#take(chunk as Buffer));
    this.#socket.on('error', () => this.#end());
    this.#socket.on('close', () => this.#end());
  }

  /** `headers`: more of them, each with its line's end. */
  static request(method: string, path: string, host: string, body: string, headers = ''): Buffer {
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${headers}`;
    const rest =
      body === ''
        ? '\r\n'
        : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    return Buffer.from(head + rest);
  }

  /** `done(null)` when the connection was lost. */
  send(request: Buffer, done: (answer: Answer | null) => void): void {
    this.#waiting = done;
    this.#socket.write(request);
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#total === -1 && !this.#head()) return;
    if (this.#total === CHUNKED && !this.#lastChunk()) return;
    if (this.#size < this.#total) return;
    const answer = { status: this.#status, body: this.#all().subarray(this.#bodyAt, this.#total) };
    this.#chunks = [];
    this.#size = 0;
    this.#total = -1;
    const done = this.#waiting;
    this.#waiting = null;
    done?.(answer);
  }

  #all(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  #head(): boolean {
    const all = this.#all();
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = all.toString('latin1', 0, end);
    this.#status = Number(head.slice(9, 12));
    this.#bodyAt = end + 4;
    this.#chunkAt = this.#bodyAt;
    const length = /content-length: (\d+)/i.exec(head);
    if (length) this.#total = this.#bodyAt + Number(length[1]);
    else if (/transfer-encoding: chunked/i.test(head)) this.#total = CHUNKED;
    else throw new Error('an answer of unknown length');
    return true;
  }

  #lastChunk(): boolean {
    const { at, ended } = chunkedEnd(this.#all(), this.#chunkAt);
    this.#chunkAt = at;
    if (ended) this.#total = at;
    return ended;
  }

  #end(): void {
    const done = this.#waiting;
    this.#waiting = null;
    done?.(null);
  }
}
