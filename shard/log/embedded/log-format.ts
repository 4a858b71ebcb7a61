import { LogFormat } from '../log-errors.ts';
import { getRow, type Store } from './store.ts';

const FORMAT = Buffer.from('format');

/**
 * Of the folder as a whole; rows and records carry versions of their own. 2: appends are in the journal before they are
 * in LMDB (journal-rows.ts), which a version that knows only 1 would cut off.
 */
export const LOG_FORMAT = 2;

/** In a write transaction: stamps a new folder, and refuses one that a newer version wrote. Throws LogFormat. */
export function checkFormat(store: Store): void {
  const row = getRow(store.meta, FORMAT);
  if (row === undefined) {
    for (const _ of store.heads.getKeys({ limit: 1 }))
      throw new LogFormat('The log folder has enclaves but no format row: restore it from a backup.');
    return stamp(store);
  }
  if (row.length !== 2) throw new LogFormat('The log folder has a damaged format row: restore it from a backup.');
  const version = row.readUInt16LE(0);
  if (version > LOG_FORMAT)
    throw new LogFormat(
      `The log folder has format ${version}, this version of the node reads up to ${LOG_FORMAT}: start the newer version.`,
    );
  if (version < LOG_FORMAT) stamp(store);
}

function stamp(store: Store): void {
  const row = Buffer.alloc(2);
  row.writeUInt16LE(LOG_FORMAT);
  store.meta.putSync(FORMAT, row);
}
