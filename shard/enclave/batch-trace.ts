import type { SealedBatch } from '../../kernel/kernel.ts';
import { errorOf } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import type { Traced } from '../../tracing/traced.ts';
import type { PendingCommit } from './commit.ts';
import type { CommitTrace } from './commit-trace.ts';

/** What is told of a batch (in-flight.ts). */
interface Batch {
  readonly accepted: readonly PendingCommit[];
  readonly duplicates: readonly unknown[];
  readonly refused: readonly unknown[];
  readonly sealed: SealedBatch | null;
}

/** The steps of a batch, each between two of its marks; `sealed` is when it has been handed to the log. */
const STEPS = [
  ['stage', 'begun', 'staged'],
  ['sign', 'staged', 'signed'],
  ['seal', 'sealing', 'sealed'],
  ['append', 'sealed', 'appended'],
  ['guard', 'appended', 'guarded'],
] as const;

export type Mark = (typeof STEPS)[number][1 | 2];

/**
 * The trace of a batch that holds at least one traced commit. A batch is one span with links to all of those commits, and
 * they to it; the first of them is its parent, so that the trace of a single commit goes on to log and guard. The spans are
 * made of marks when the batch is over: before that, a traced batch costs some stamps.
 */
export class BatchTrace {
  readonly #commits: CommitTrace[] = [];
  readonly #marks = new Map<Mark, number>();
  #span: Traced | null = null;
  #releasing = 0;

  constructor(begun: number) {
    this.#marks.set('begun', begun);
  }

  add(commit: CommitTrace): void {
    this.#commits.push(commit);
    commit.staged(this.#marks.get('begun') as number);
  }

  mark(mark: Mark): void {
    this.#marks.set(mark, performance.now());
  }

  /** For log lines: which trace to look at. */
  get fields(): object {
    return (this.#span ?? (this.#commits[0] as CommitTrace).call).fields;
  }

  /** The batch is durable: called before anybody is answered, whose spans end then. `released` must follow. */
  releasing(enclave: Uint8Array, batch: Batch): void {
    this.#releasing = performance.now();
    this.#begin(enclave, batch);
    const { sealed } = batch;
    if (!sealed) return;
    for (const [i, { trace }] of batch.accepted.entries()) {
      const receipt = sealed.receipts.subarray(sealed.offsets[i], sealed.offsets[i + 1]);
      trace?.call.set({ 'enc.event.seq': sealed.firstSeq + i, 'enc.event.id': eventId(receipt) });
    }
  }

  released(): void {
    this.#span?.part('release', this.#releasing, performance.now());
    this.#span?.end();
  }

  /** The batch is lost: everybody is answered with error number `code`. */
  dropped(enclave: Uint8Array, batch: Batch, code: number): void {
    this.#begin(enclave, batch).end(errorOf(code).code);
  }

  #begin(enclave: Uint8Array, batch: Batch): Traced {
    const { sealed, accepted, duplicates, refused } = batch;
    const [first] = this.#commits as [CommitTrace];
    const span = first.call.begin('batch', {
      from: this.#marks.get('begun') as number,
      links: this.#commits.map(({ call }) => call),
      attributes: {
        'enc.enclave': toHex(enclave),
        'enc.batch.accepted': accepted.length,
        'enc.batch.duplicates': duplicates.length,
        'enc.batch.refused': refused.length,
        ...(sealed && {
          'enc.batch.first_seq': sealed.firstSeq,
          'enc.batch.bytes': sealed.skeleton.length + sealed.content.length,
        }),
      },
    });
    this.#span = span;
    for (const { call } of this.#commits) call.link(span);
    for (const [name, from, to] of STEPS) {
      const [began, ended] = [this.#marks.get(from), this.#marks.get(to)];
      if (began !== undefined && ended !== undefined) span.part(name, began, ended);
    }
    return span;
  }
}

const ID = '"id":"';

/** Receipts are this kernel's own, and have one `id`. */
function eventId(receipt: Uint8Array): string {
  const text = Buffer.from(receipt.buffer, receipt.byteOffset, receipt.length);
  const at = text.indexOf(ID) + ID.length;
  return text.toString('latin1', at, at + 64);
}
