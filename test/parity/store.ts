import { IC_ERASED, type KernelHost, type Need, RECORD_EVENT, type SealedBatch } from '../../kernel/kernel.ts';
import { closingFields, eventFields, split, view } from './records.ts';
import { hex, type Identity, sign, verify } from './ring.ts';

export interface StoredEvent {
  readonly record: Uint8Array;
  readonly content: Uint8Array;
  readonly id: string;
  readonly name: string;
}

/** The log of one enclave in memory, and the kernel's host over it. */
export class Store implements KernelHost {
  readonly events: StoredEvent[] = [];
  readonly closings: Uint8Array[] = [];
  /** everything in the order in which it was sealed */
  readonly order: { readonly record: Uint8Array; readonly content: Uint8Array }[] = [];
  readonly #byId = new Map<string, StoredEvent>();
  /** signs tree heads; absent where the key is not held */
  signer: Identity | undefined;
  sealing = false;

  constructor(signer: Identity | undefined) {
    this.signer = signer;
  }

  add(batch: Pick<SealedBatch, 'skeleton' | 'content'>): void {
    let at = 0;
    for (const record of split(batch.skeleton)) {
      if (record[4] !== RECORD_EVENT) {
        this.order.push({ record, content: batch.content.subarray(0, 0) });
        if (record[4] === 1) this.closings.push(record);
        continue;
      }
      const { contentLength, id, name } = eventFields(record);
      const content = batch.content.subarray(at, at + contentLength);
      at += contentLength;
      this.order.push({ record, content });
      const event = { record, content, id: hex(id), name };
      this.events.push(event);
      this.#byId.set(event.id, event);
    }
  }

  find(id: Uint8Array): StoredEvent | undefined {
    return this.#byId.get(hex(id));
  }

  signSeq(hash: Uint8Array, sig: Uint8Array): number {
    if (!this.sealing) return 1;
    if (!this.signer) return -1;
    sig.set(sign(this.signer, hash));
    return 0;
  }

  verify(alg: number, pub: Uint8Array, hash: Uint8Array, sig: Uint8Array): boolean {
    return verify(alg, pub.slice(), hash.slice(), sig.slice());
  }

  eventMeta(id: Uint8Array, out: Uint8Array): number {
    const event = this.find(id);
    if (!event) return 0;
    const meta = metaOf(event.record);
    out.set(meta);
    return meta.length;
  }

  answer(need: Need): Uint8Array {
    const none = new Uint8Array(0);
    switch (need.kind) {
      case 1: {
        const closing = this.closings[(need.b + 1) * 2 ** need.a - 1];
        if (!closing) return none;
        return need.a === 0 ? closingFields(closing).leaf.slice() : closingFields(closing).node(need.a).slice();
      }
      case 2:
        return this.closings[need.a]?.slice() ?? none;
      case 3: {
        const ids = this.events.slice(need.a, need.a + need.b);
        return ids.length < need.b
          ? none
          : new Uint8Array(Buffer.concat(ids.map((event) => event.record.subarray(48, 80))));
      }
      case 4: {
        const event = this.events[need.a];
        return event ? new Uint8Array(Buffer.concat([event.record, event.content])) : none;
      }
      case 5: {
        const holds = (closing: Uint8Array): boolean => {
          const { firstSeq, size } = closingFields(closing);
          return need.a >= firstSeq && need.a < firstSeq + size;
        };
        return this.closings.find(holds)?.slice() ?? none;
      }
    }
  }

  /** All records and contents, as a log stores them; `erased` leaves the contents of these event ids out. */
  dump(from = 0, erased: ReadonlySet<string> = new Set()): { skeleton: Uint8Array; content: Uint8Array } {
    const skeleton: Uint8Array[] = [];
    const contents: Uint8Array[] = [];
    for (const { record, content } of this.order.slice(from)) {
      if (record[4] === RECORD_EVENT && erased.has(hex(record.subarray(48, 80)))) {
        const copy = record.slice();
        copy[5] = copy[5]! | IC_ERASED;
        view(copy).setUint32(44, 0, true);
        skeleton.push(copy);
        continue;
      }
      skeleton.push(record);
      contents.push(content);
    }
    return { skeleton: new Uint8Array(Buffer.concat(skeleton)), content: new Uint8Array(Buffer.concat(contents)) };
  }
}

/** Meta of an event as `host_event_meta` answers it: from, seq, lane, type. */
function metaOf(record: Uint8Array): Uint8Array {
  const typeLength = view(record).getUint16(368, true);
  const meta = new Uint8Array(46 + typeLength);
  meta.set(record.subarray(112, 144));
  meta.set(record.subarray(8, 16), 32);
  meta.set(record.subarray(40, 44), 40);
  meta.set(record.subarray(368, 370), 44);
  meta.set(record.subarray(376, 376 + typeLength), 46);
  return meta;
}
