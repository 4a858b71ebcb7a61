const ID = 32;
const SHOWN = 1;
const ACKNOWLEDGED = 2;

/**
 * Which event stands at which seq of one enclave, as far as the node has said so: 33 bytes an event, and up to half as
 * much again as room to grow. An id pins its event, signatures included (PROTOCOL §3), so that is all there is to keep.
 */
export class Ledger {
  #ids = Buffer.alloc(64 * ID);
  #marks = new Uint8Array(64);
  /** one more than the highest seq that is known */
  length = 0;
  acknowledged = 0;

  /** A receipt says so. Returns the id that was known before at this seq, if it is another one (equivocation). */
  acknowledge(seq: number, id: string): string | null {
    const other = this.show(seq, id);
    if (other === null && !this.isAcknowledged(seq)) {
      this.#marks[seq] = (this.#marks[seq] as number) | ACKNOWLEDGED;
      this.acknowledged++;
    }
    return other;
  }

  /** A read says so. Returns the other id, as `acknowledge`. */
  show(seq: number, id: string): string | null {
    this.#reach(seq);
    const known = this.id(seq);
    if (known !== null) return known === id ? null : known;
    this.#ids.write(id, seq * ID, 'hex');
    this.#marks[seq] = SHOWN;
    return null;
  }

  /** The id at `seq`, null if nothing was said of it. */
  id(seq: number): string | null {
    return this.#marks[seq] ? this.#ids.toString('hex', seq * ID, (seq + 1) * ID) : null;
  }

  isAcknowledged(seq: number): boolean {
    return ((this.#marks[seq] ?? 0) & ACKNOWLEDGED) !== 0;
  }

  #reach(seq: number): void {
    this.length = Math.max(this.length, seq + 1);
    if (seq < this.#marks.length) return;
    const room = Math.ceil((seq + 1) * 1.5);
    const ids = Buffer.alloc(room * ID);
    ids.set(this.#ids);
    const marks = new Uint8Array(room);
    marks.set(this.#marks);
    this.#ids = ids;
    this.#marks = marks;
  }
}
