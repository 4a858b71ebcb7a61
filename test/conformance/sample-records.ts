import { createHash } from 'node:crypto';
import { type Head, IC_TARGET, RECORD_CLOSING, RECORD_EVENT, TYPES } from '../../kernel/kernel.ts';
import type { Batch, LogKey } from '../../shard/log/enclave-log.ts';

/** Records in the layouts of kernel/kernel.ts, with made-up hashes: what a log stores without judging it. */
export interface SampleEvent {
  readonly type?: string;
  readonly from?: Uint8Array;
  readonly tags?: readonly (readonly string[])[];
  readonly content?: string;
  /** event id, of an Update or Delete */
  readonly target?: Uint8Array;
}

/** An enclave that makes batches that link, as a kernel would. */
export class SampleEnclave {
  readonly key: LogKey;
  head: Head;
  timestamp = -1;
  /** id, hash and content of every event, by seq */
  readonly ids: Uint8Array[] = [];
  readonly hashes: Uint8Array[] = [];
  readonly contents: string[] = [];
  readonly leaves: Uint8Array[] = [];
  #openFirst = 0;
  readonly #random: (name: string) => Buffer;

  readonly #name: string;

  constructor(name: string, lane = 0) {
    this.#name = name;
    this.#random = (what) => createHash('sha256').update(`${name}/${what}`).digest();
    this.key = { enclave: new Uint8Array(this.#random('enclave')), lane };
    this.head = { seq: -1, chain: this.key.enclave, bundles: 0, ctRoot: new Uint8Array(createHash('sha256').digest()) };
  }

  /** The same enclave at the same point, to go on from when a batch came to nothing. */
  fork(): SampleEnclave {
    const copy = new SampleEnclave(this.#name, this.key.lane);
    copy.head = this.head;
    copy.timestamp = this.timestamp;
    copy.ids.push(...this.ids);
    copy.hashes.push(...this.hashes);
    copy.contents.push(...this.contents);
    copy.leaves.push(...this.leaves);
    copy.#openFirst = this.#openFirst;
    return copy;
  }

  /** The next batch; `close`: closes the open bundle behind these events. The head moves on. */
  batch(events: readonly SampleEvent[], close = false): { batch: Batch; expected: Head; next: Head } {
    const expected = this.head;
    const records: Buffer[] = [];
    const contents: Buffer[] = [];
    const firstSeq = this.head.seq + 1;
    for (const event of events) {
      const content = Buffer.from(event.content ?? '');
      records.push(this.#event(event, content));
      contents.push(content);
    }
    if (close) records.push(this.#closing());
    const skeleton = new Uint8Array(Buffer.concat(records));
    const batch = {
      firstSeq,
      events: events.length,
      closings: close ? 1 : 0,
      skeleton,
      content: new Uint8Array(Buffer.concat(contents)),
    };
    return { batch, expected, next: this.head };
  }

  #event(event: SampleEvent, content: Buffer): Buffer {
    const seq = this.head.seq + 1;
    this.timestamp += 10;
    const type = Buffer.from(event.type ?? 'Note');
    const tags = Buffer.from(event.tags === undefined ? '' : JSON.stringify(event.tags));
    const length = (376 + type.length + tags.length + 7) & ~7;
    const record = Buffer.alloc(length);
    record.writeUInt32LE(length, 0);
    record[4] = RECORD_EVENT;
    record[5] = event.target === undefined ? 0 : IC_TARGET;
    const number = (TYPES as readonly string[]).indexOf(event.type ?? 'Note');
    record[6] = Math.max(0, number);
    record[7] = 1;
    record.writeBigInt64LE(BigInt(seq), 8);
    record.writeBigInt64LE(BigInt(this.timestamp), 16);
    record.writeUInt32LE(content.length, 44);
    const id = this.#random(`id${seq}${content.toString()}`);
    const hash = this.#random(`hash${seq}`);
    record.set(id, 48);
    record.set(hash, 80);
    record.set(event.from ?? this.#random('from'), 112);
    record.set(this.#random(`sig${seq}`), 144);
    if (event.target !== undefined) record.set(event.target, 304);
    record.writeUInt16LE(type.length, 368);
    record.writeUInt32LE(tags.length, 372);
    record.set(type, 376);
    record.set(tags, 376 + type.length);
    this.ids[seq] = new Uint8Array(id);
    this.hashes[seq] = new Uint8Array(hash);
    this.contents[seq] = content.toString();
    const chain = createHash('sha256').update(this.head.chain).update(id).digest();
    this.head = { ...this.head, seq, chain: new Uint8Array(chain) };
    return record;
  }

  #closing(): Buffer {
    const index = this.head.bundles;
    let nodes = 0;
    for (let bits = index; (bits & 1) === 1; bits >>= 1) nodes++;
    const record = Buffer.alloc(272 + 32 * nodes);
    record.writeUInt32LE(record.length, 0);
    record[4] = RECORD_CLOSING;
    record[7] = 1;
    record.writeBigInt64LE(BigInt(index), 8);
    record.writeBigInt64LE(BigInt(this.#openFirst), 16);
    record.writeUInt32LE(this.head.seq + 1 - this.#openFirst, 24);
    const leaf = this.#random(`leaf${index}`);
    const root = this.#random(`root${index}/${this.head.seq}`);
    record.set(leaf, 104);
    record.set(root, 136);
    record.writeUInt32LE(nodes, 264);
    for (let level = 1; level <= nodes; level++)
      record.set(sampleNode(this.#random, level, (index >> level) as number), 272 + 32 * (level - 1));
    this.leaves[index] = new Uint8Array(leaf);
    this.#openFirst = this.head.seq + 1;
    this.head = { ...this.head, bundles: index + 1, ctRoot: new Uint8Array(root) };
    return record;
  }

  node(level: number, index: number): Uint8Array {
    return new Uint8Array(sampleNode(this.#random, level, index));
  }
}

function sampleNode(random: (name: string) => Buffer, level: number, index: number): Buffer {
  return random(`node${level}/${index}`);
}
