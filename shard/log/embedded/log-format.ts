import { FORMAT_VERSION } from '../../../kernel/kernel.ts';
import { LogFormat } from '../log-errors.ts';
import { getRow, type Store } from './store.ts';

const FORMAT = Buffer.from('format');

/** In a write transaction: stamps a new folder, and refuses one that a newer version wrote. Throws LogFormat. */
export function checkFormat(store: Store): void {
  const row = getRow(store.meta, FORMAT);
  if (row === undefined) {
    for (const _ of store.heads.getKeys({ limit: 1 }))
      throw new LogFormat('The log folder has enclaves but no format row: restore it from a backup.');
    const stamp = Buffer.alloc(2);
    stamp.writeUInt16LE(FORMAT_VERSION);
    store.meta.putSync(FORMAT, stamp);
    return;
  }
  if (row.length !== 2) throw new LogFormat('The log folder has a damaged format row: restore it from a backup.');
  const version = row.readUInt16LE(0);
  if (version > FORMAT_VERSION)
    throw new LogFormat(
      `The log folder has format ${version}, this version of the node reads up to ${FORMAT_VERSION}: start the newer version.`,
    );
}
