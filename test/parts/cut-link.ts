import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const LOOK_EVERY_MS = 50;

/**
 * A way from routers to a shard that can be cut as a network is: nothing comes through any more, and nobody is told. The
 * two ends of a connection stand as they were, and what they send waits. While nobody listens at the other end it refuses
 * connections, as the machine there does.
 */
export class CutLink {
  readonly #server: Server;
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #cut = false;
  #closed = false;
  #port = 0;
  /** the next look whether somebody listens again */
  #looking: NodeJS.Timeout | null = null;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  static async listen(target: number): Promise<CutLink> {
    const link = new CutLink(target);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    link.#port = (link.#server.address() as AddressInfo).port;
    return link;
  }

  get port(): number {
    return this.#port;
  }

  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  heal(): void {
    this.#cut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#looking) clearTimeout(this.#looking);
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Listens as long as somebody listens at the other end. */
  #look(): void {
    if (this.#looking) clearTimeout(this.#looking);
    this.#looking = null;
    const probe = connect({ host: '127.0.0.1', port: this.#target });
    probe.once('connect', () => {
      probe.destroy();
      if (!this.#closed && !this.#server.listening) this.#server.listen(this.#port, '127.0.0.1');
    });
    probe.once('error', () => {
      if (this.#closed) return;
      if (this.#server.listening) this.#server.close();
      this.#looking = setTimeout(() => this.#look(), LOOK_EVERY_MS);
    });
  }

  #join(near: Socket): void {
    const far = connect({ host: '127.0.0.1', port: this.#target, noDelay: true });
    near.setNoDelay(true);
    this.#forward(near, far);
    this.#forward(far, near);
    far.once('close', () => {
      if (!this.#cut && !this.#closed) this.#look();
    });
  }

  #forward(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    if (this.#cut) from.pause();
    from.on('data', (bytes) => void to.write(bytes));
    from.on('error', () => {});
    from.once('close', () => {
      this.#sockets.delete(from);
      if (!this.#cut) to.destroy();
    });
  }
}
