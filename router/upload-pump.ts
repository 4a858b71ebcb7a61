import type { Readable } from 'node:stream';
import type { Flight } from './flight.ts';
import type { ShardLink } from './shard-link.ts';

const NOTHING = new Uint8Array(0);

/** Passes a file from a client on to a shard, no faster than the shard grants credit: nothing is held here. */
export class UploadPump {
  readonly #flight: Flight;
  readonly #link: ShardLink;
  readonly #source: Readable;
  #credit = 0;
  #ended = false;

  /** `broken`: the client went away before its file was whole. */
  constructor(flight: Flight, link: ShardLink, source: Readable, broken: () => void) {
    this.#flight = flight;
    this.#link = link;
    this.#source = source;
    source.on('readable', () => this.#flow());
    source.once('end', () => this.#end());
    source.once('error', broken);
    source.once('close', () => {
      if (!this.#ended) broken();
    });
  }

  grant(bytes: number): void {
    this.#credit += bytes;
    this.#flow();
  }

  #flow(): void {
    while (this.#credit > 0 && !this.#ended) {
      const chunk = this.#source.read() as Buffer | null;
      if (chunk === null) return;
      const fits = chunk.subarray(0, this.#credit);
      if (fits.length < chunk.length) this.#source.unshift(chunk.subarray(fits.length));
      this.#credit -= fits.length;
      this.#link.sendData(this.#flight, fits, false);
    }
  }

  #end(): void {
    this.#ended = true;
    this.#link.sendData(this.#flight, NOTHING, true);
  }
}
