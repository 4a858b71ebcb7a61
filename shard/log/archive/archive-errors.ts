/**
 * The store holds something else under the name of a bundle, or gives back something else than was written: the archive
 * of this enclave stops here, and nothing of its log is trimmed. Names the object.
 */
export class ArchiveConflict extends Error {
  override readonly name = 'ArchiveConflict';
  readonly object: string;

  constructor(object: string, why: string) {
    super(`The archived bundle ${object} is not the one in the log: ${why}.`);
    this.object = object;
  }
}
