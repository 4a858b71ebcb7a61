import { asBuffer, readInt, writeInt } from '../bytes.ts';
import { emptyHead, writeHead } from '../head-bytes.ts';
import { LogDamaged } from '../log-errors.ts';
import { eraseStep } from './erase-step.ts';
import { checkHeadRow, HEAD_ROW, sealHeadRow, writeEpoch } from './head-row.ts';
import { replaceStep } from './replace-step.ts';
import { getRow } from './store.ts';
import { keysFrom, put, remove, type Transaction } from './transaction.ts';
import { CODE_OK, type WriteOp } from './writer-messages.ts';

export function opStep(tx: Transaction, op: WriteOp, file: number, offset: number): number {
  switch (op.kind) {
    case 'open':
      return openStep(tx, asBuffer(op.prefix), op.nonce, op.recovering);
    case 'guard':
      put(tx, tx.store.meta, Buffer.from('guard'), asBuffer(op.id));
      return CODE_OK;
    case 'erase':
      return eraseStep(tx, op);
    case 'replace':
      return replaceStep(tx, op, file, offset);
  }
}

/** Raises the epoch, also of an enclave that is not there yet. */
function openStep(tx: Transaction, prefix: Buffer, nonce: Uint8Array, recovering: boolean): number {
  const current = getRow(tx.store.heads, prefix);
  const damaged = current !== undefined && recovering && !checks(current, prefix);
  const row = Buffer.alloc(HEAD_ROW);
  if (current === undefined || damaged) {
    writeHead(row, emptyHead(prefix.subarray(0, 32)), 32);
    writeInt(row, -1, 112);
  } else checkHeadRow(current, prefix).copy(row);
  if (damaged) {
    // Nothing of the row can be trusted: counters that are above all that it can have held, and no index or due time left.
    writeInt(row, Date.now(), 8);
    for (const key of keysFrom(tx.store.index, prefix, prefix)) remove(tx, tx.store.index, key);
    const due = [...tx.store.due.getKeys()].filter((key) => Buffer.compare(key.subarray(8), prefix) === 0);
    for (const key of due) remove(tx, tx.store.due, key);
  }
  writeEpoch(row, { counter: readInt(row, 8) + 1, nonce }, 8);
  put(tx, tx.store.heads, prefix, sealHeadRow(row, prefix));
  return CODE_OK;
}

function checks(row: Buffer, prefix: Buffer): boolean {
  try {
    checkHeadRow(row, prefix);
    return true;
  } catch (error) {
    if (error instanceof LogDamaged) return false;
    throw error;
  }
}
