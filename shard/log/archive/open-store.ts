import type { ArchivePlace } from '../../../protocol/archive-name.ts';
import { FileStore } from './file-store.ts';
import type { ObjectStore } from './object-store.ts';

/** The SDK is loaded only where it is needed: it is large. */
export async function openObjectStore(place: ArchivePlace): Promise<ObjectStore> {
  if (place.kind === 'folder') {
    const store = new FileStore(place.path);
    await store.sweep();
    return store;
  }
  const { S3Store } = await import('./s3-store.ts');
  return new S3Store(place);
}
