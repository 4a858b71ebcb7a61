import { Readable } from 'node:stream';
import { UPLOAD_WINDOW } from '../../cluster/link/records.ts';

/**
 * The body of a call that brings a file, as it arrives over the link. Credit is granted as the reader reads, so no more
 * than a window of it is ever held here.
 */
export class Upload extends Readable {
  readonly #grant: (bytes: number) => void;
  /** granted and not arrived yet */
  #credit = 0;
  /** arrived and not paid back yet */
  #owed = 0;

  constructor(grant: (bytes: number) => void) {
    super({ highWaterMark: UPLOAD_WINDOW });
    this.#grant = grant;
  }

  override _read(): void {
    const bytes = this.#credit === 0 && this.#owed === 0 ? UPLOAD_WINDOW : this.#owed;
    if (bytes === 0) return;
    this.#owed = 0;
    this.#credit += bytes;
    this.#grant(bytes);
  }

  /** False if the sender had no credit for it. */
  arrived(bytes: Uint8Array): boolean {
    if (bytes.length > this.#credit) return false;
    this.#credit -= bytes.length;
    this.#owed += bytes.length;
    if (bytes.length > 0) this.push(bytes);
    return true;
  }

  ended(): void {
    this.push(null);
  }
}
