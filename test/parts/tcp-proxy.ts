/** A link of the network that can fail: bytes go through it to a target, until a test says otherwise. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What can be wrong with a link. A cut or half one keeps its connections: neither end is told. */
export type Weather =
  | { readonly kind: 'fair' }
  /** nothing gets through, in neither direction; new connections are accepted by nobody that answers */
  | { readonly kind: 'cut' }
  /** only this direction gets through: what one end says is heard, what the other says is not */
  | { readonly kind: 'half'; readonly through: 'there' | 'back' }
  /** everything comes late by so many ms, in order */
  | { readonly kind: 'slow'; readonly ms: number };

/** Bytes that wait in one direction; an end that sends more is no longer read. */
const MAX_HELD = 8 * 1024 * 1024;

/** One direction of one connection. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: () => Weather;
  readonly #way: 'there' | 'back';
  #held: { bytes: Buffer; at: number }[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(from: Socket, to: Socket, way: 'there' | 'back', weather: () => Weather) {
    this.#from = from;
    this.#to = to;
    this.#way = way;
    this.#weather = weather;
    from.on('data', (bytes: Buffer) => {
      this.#held.push({ bytes, at: performance.now() });
      this.#heldBytes += bytes.length;
      if (this.#heldBytes > MAX_HELD) from.pause();
      this.pump();
    });
  }

  /** Passes on what may pass now. */
  pump(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const weather = this.#weather();
    if (weather.kind === 'cut' || (weather.kind === 'half' && weather.through !== this.#way)) return;
    const late = weather.kind === 'slow' ? weather.ms : 0;
    while (this.#held[0]) {
      const { bytes, at } = this.#held[0];
      const rest = at + late - performance.now();
      if (rest > 0) {
        this.#timer = setTimeout(() => this.pump(), rest);
        return;
      }
      this.#held.shift();
      this.#heldBytes -= bytes.length;
      if (this.#to.writable) this.#to.write(bytes);
    }
    if (this.#from.isPaused()) this.#from.resume();
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#held = [];
  }
}

interface Pair {
  readonly ends: readonly [Socket, Socket];
  readonly lanes: readonly [Lane, Lane];
  readonly end: () => void;
}

export class TcpProxy {
  /** of the server behind it; a new one counts for new connections */
  target: { readonly host?: string; readonly port: number } | null = null;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #weather: Weather = { kind: 'fair' };

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#take(socket));
  }

  static async listen(target: TcpProxy['target'] = null): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server);
    proxy.target = target;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  set weather(weather: Weather) {
    this.#weather = weather;
    for (const { lanes, ends, end } of [...this.#pairs]) {
      for (const lane of lanes) lane.pump();
      // One end has gone while the other could not be told.
      if (whole(weather) && ends.some(({ destroyed }) => destroyed)) end();
    }
  }

  /** Every connection ends with an RST, as it does when a middlebox forgets it. */
  reset(): void {
    for (const { ends } of [...this.#pairs]) for (const end of ends) end.resetAndDestroy();
  }

  /** The link is whole again. What was held up is not delivered: the connections of that time are reset. */
  mend(): void {
    this.reset();
    this.weather = { kind: 'fair' };
  }

  /** The link is whole again, and what was held up comes through, however late. */
  thaw(): void {
    this.weather = { kind: 'fair' };
  }

  async close(): Promise<void> {
    this.#server.close();
    this.reset();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  #take(near: Socket): void {
    if (this.target === null) return void near.resetAndDestroy();
    const far = connect({ host: this.target.host ?? '127.0.0.1', port: this.target.port, noDelay: true });
    near.setNoDelay(true);
    const weather = (): Weather => this.#weather;
    const lanes = [new Lane(near, far, 'there', weather), new Lane(far, near, 'back', weather)] as const;
    const end = (): void => {
      if (!this.#pairs.delete(pair)) return;
      for (const lane of lanes) lane.close();
      near.destroy();
      far.destroy();
    };
    const pair: Pair = { ends: [near, far], lanes, end };
    this.#pairs.add(pair);
    const ended = (): void => {
      if (whole(this.#weather)) end();
    };
    near.on('error', ended).on('close', ended);
    far.on('error', ended).on('close', ended);
  }
}

const whole = ({ kind }: Weather): boolean => kind === 'fair' || kind === 'slow';
