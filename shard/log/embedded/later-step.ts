import { asBuffer, readInt } from '../bytes.ts';
import { decodeArchived, encodeArchived } from './archive-row.ts';
import { getRow, type Store } from './store.ts';
import { type AppendTransaction, headRow, ownedBy, put, remove } from './transaction.ts';
import { CODE_FENCED, CODE_OK, CODE_UNKNOWN, type LaterOp, type LaterWrite } from './writer-messages.ts';

/** As AppendTransaction, over the rest of the store too. */
interface LaterTransaction extends AppendTransaction {
  readonly store: Store;
}

/** Carries the operations out, inside a transaction: a code each. One that throws before it wrote is unknown alone. */
export function laterSteps(store: Store, later: readonly LaterWrite[]): Uint8Array<ArrayBuffer> {
  const tx: LaterTransaction = { store, wrote: false };
  return Uint8Array.from(later, ({ op }) => {
    tx.wrote = false;
    try {
      return laterStep(tx, op);
    } catch (error) {
      if (tx.wrote) throw error;
      return CODE_UNKNOWN;
    }
  });
}

/** Each may be repeated: a transaction of the writer repeats what the other thread has done, but not told of yet. */
function laterStep(tx: LaterTransaction, op: LaterOp): number {
  const prefix = asBuffer(op.prefix);
  const head = headRow(tx, prefix);
  switch (op.kind) {
    case 'checkpoint':
      if (!ownedBy(head, op.epoch) || readInt(head, 32) < op.seq) return CODE_FENCED;
      for (const row of op.put) put(tx, tx.store.checkpoints, asBuffer(row.key), asBuffer(row.value));
      for (const key of op.remove) remove(tx, tx.store.checkpoints, asBuffer(key));
      return CODE_OK;
    case 'index':
      if (head === null || head.readUInt32LE(132) !== op.generation || readInt(head, 32) < op.lastSeq)
        return CODE_FENCED;
      for (const row of op.put) put(tx, tx.store.index, asBuffer(row.key), asBuffer(row.value));
      return CODE_OK;
    case 'archived': {
      const at = decodeArchived(getRow(tx.store.archive, prefix), prefix);
      if (head === null || (at !== op.from && at !== op.to) || readInt(head, 72) < op.to) return CODE_FENCED;
      put(tx, tx.store.archive, prefix, encodeArchived(op.to, prefix));
      return CODE_OK;
    }
  }
}
