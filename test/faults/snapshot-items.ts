import { createHash } from 'node:crypto';
import { decodeFirst, encode } from 'cborg';

/** `.enc` (PROTOCOL §10) taken apart: header, [0, …] events and [1, …] closings in order, and the [2, STH, sum] at the end. */
export interface SnapshotParts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly items: readonly SnapshotItem[];
  readonly end: { readonly sth: Readonly<Record<string, unknown>>; readonly intact: boolean };
}

export type SnapshotItem =
  | {
      readonly kind: 'event';
      readonly commit: Uint8Array;
      readonly timestamp: number;
      readonly seq: number;
      readonly sequencer: Uint8Array;
      readonly seqSig: Uint8Array;
      readonly target: Uint8Array | undefined;
    }
  | {
      readonly kind: 'closing';
      readonly index: number;
      readonly firstSeq: number;
      readonly size: number;
      readonly t: number;
    };

/** Throws on bytes that are no snapshot. */
export function takeApart(file: Uint8Array): SnapshotParts {
  const sum = createHash('sha256');
  const items: SnapshotItem[] = [];
  let header: Record<string, unknown> | null = null;
  for (let rest = file; rest.length > 0; ) {
    const [value, behind] = decodeFirst(rest, { useMaps: false }) as [unknown, Uint8Array];
    const bytes = rest.subarray(0, rest.length - behind.length);
    rest = behind;
    if (header === null) header = value as Record<string, unknown>;
    else {
      const item = value as [number, ...unknown[]];
      if (item[0] === 0) {
        const [, commit, timestamp, seq, sequencer, seqSig, target] = item as [
          0,
          Uint8Array,
          number,
          number,
          Uint8Array,
          Uint8Array,
          Uint8Array | undefined,
        ];
        items.push({ kind: 'event', commit, timestamp, seq, sequencer, seqSig, target });
      } else if (item[0] === 1) {
        const [, index, firstSeq, size, t] = item as [1, number, number, number, number];
        items.push({ kind: 'closing', index, firstSeq, size, t });
      } else {
        const [, sth, digest] = item as [2, Record<string, unknown>, Uint8Array];
        return { header, items, end: { sth, intact: sum.digest().equals(digest) && rest.length === 0 } };
      }
    }
    sum.update(bytes);
  }
  throw new Error('the snapshot has no end');
}

/** The file of these parts, with a right sum. */
export function putTogether({ header, items, end }: SnapshotParts): Buffer {
  const body = Buffer.concat([
    encode(header),
    ...items.map((item) =>
      item.kind === 'closing'
        ? encode([1, item.index, item.firstSeq, item.size, item.t])
        : encode([
            0,
            item.commit,
            item.timestamp,
            item.seq,
            item.sequencer,
            item.seqSig,
            ...(item.target ? [item.target] : []),
          ]),
    ),
  ]);
  return Buffer.concat([body, encode([2, end.sth, createHash('sha256').update(body).digest()])]);
}
