import { connect, type Socket } from 'node:net';

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * One keep-alive connection with one request under way, on a bare socket: the generator must cost little beside the
 * node that it measures. Understands what the node sends: content-length, no trailers.
 */
export class HttpLane {
  readonly #socket: Socket;
  #waiting: ((answer: Answer | null) => void) | null = null;
  #chunks: Buffer[] = [];
  #size = 0;
  #total = -1;
  #bodyAt = 0;
  #status = 0;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk) => this.#take(chunk as Buffer));
    this.#socket.on('error', () => this.#end());
    this.#socket.on('close', () => this.#end());
  }

  static request(method: string, path: string, host: string, body: string): Buffer {
    const head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
    const rest = body === '' ? '\r\n' : `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
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
    if (this.#total < 0 && !this.#head()) return;
    if (this.#size < this.#total) return;
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const answer = { status: this.#status, body: all.subarray(this.#bodyAt, this.#total) };
    this.#chunks = [];
    this.#size = 0;
    this.#total = -1;
    const done = this.#waiting;
    this.#waiting = null;
    done?.(answer);
  }

  #head(): boolean {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    const all = this.#chunks[0] as Buffer;
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = all.toString('latin1', 0, end);
    this.#status = Number(head.slice(9, 12));
    const length = /content-length: (\d+)/i.exec(head);
    if (!length) throw new Error('an answer without content-length');
    this.#bodyAt = end + 4;
    this.#total = this.#bodyAt + Number(length[1]);
    return true;
  }

  #end(): void {
    const done = this.#waiting;
    this.#waiting = null;
    done?.(null);
  }
}
