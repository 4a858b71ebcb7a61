import { setTimeout as sleep } from 'node:timers/promises';
import { HttpLane } from './http-lane.ts';

const GOOD = '"type":"Receipt"';
/** before a refused request is sent again, ms */
const PAUSE_MS = 20;
const DEADLINE_MS = 60_000;

/** Many connections, one for each of some enclaves, that stay open from wave to wave. */
export class FirstAnswers {
  readonly #host: string;
  readonly #port: number;
  readonly #authority: string;
  readonly #lanes: HttpLane[];

  constructor(url: string, connections: number) {
    const { hostname, port, host } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#authority = host;
    this.#lanes = Array.from({ length: connections }, () => this.#connect());
  }

  /**
   * Sends all bodies at once, each on a connection of its own and again until it is answered with a receipt. Resolves to
   * the times that this took, ms from the call, in the order of the bodies. Throws if one takes a minute.
   */
  wave(bodies: readonly string[]): Promise<number[]> {
    const began = performance.now();
    return Promise.all(bodies.map((body, i) => this.#first(i, body, began)));
  }

  close(): void {
    for (const lane of this.#lanes) lane.close();
  }

  async #first(i: number, body: string, began: number): Promise<number> {
    const request = HttpLane.request('POST', '/', this.#authority, body);
    for (;;) {
      const answer = await new Promise<string | null>((resolve) =>
        (this.#lanes[i] as HttpLane).send(request, (got) => resolve(got === null ? null : got.body.toString('utf8'))),
      );
      const took = performance.now() - began;
      if (answer?.includes(GOOD)) return took;
      if (took > DEADLINE_MS) throw new Error(`no receipt within ${DEADLINE_MS} ms: ${answer ?? 'connection lost'}`);
      if (answer === null) this.#lanes[i] = this.#connect();
      await sleep(PAUSE_MS);
    }
  }

  #connect(): HttpLane {
    return new HttpLane(this.#host, this.#port);
  }
}
