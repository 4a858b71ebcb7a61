import { join } from 'node:path';
import { framesOf } from '../../journal/frame.ts';
import { contentFileName } from './content-writer.ts';
import { decodeRows } from './journal-rows.ts';
import { APPENDED, type Appended, type LmdbStore } from './store.ts';
import type { WriterMeta } from './writer-meta.ts';

/** Puts the rows of the last run's frames that LMDB does not have yet: inside a transaction. `folder`: of the content files. */
export function adoptJournal(store: LmdbStore, meta: WriterMeta, folder: string): void {
  const { journal } = meta;
  if (journal === null) return;
  const start = meta.ends().get(journal.file) ?? 0;
  let end = start;
  // A frame that was damaged later ends them too: the release guard knows what its enclaves have lost.
  for (const found of framesOf(join(folder, contentFileName(journal.file)), start, journal.nonce)) {
    for (const { table, key, value } of decodeRows(found.rows)) {
      const rows = store[APPENDED[table] as Appended];
      if (value === null) rows.removeSync(key);
      else rows.putSync(key, value);
    }
    end = found.end;
  }
  if (end > start) meta.putEnd(journal.file, end);
}
