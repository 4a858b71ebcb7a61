import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

/** The admin bearer token (PROTOCOL §9): given out by reveal() only, so that it is not printed by accident. */
export class AdminToken {
  /** the file of a generated token, for the operator; null if the token was configured */
  readonly file: string | null;
  readonly #token: string;

  constructor(token: string, file: string | null) {
    this.file = file;
    this.#token = token;
  }

  reveal(): string {
    return this.#token;
  }
}

/**
 * The configured token, or else the one in keys/admin-token, generated on the first start (256 bits, mode 0600).
 * Throws a sentence if the file may be read by others or is empty.
 */
export function openAdminToken(dir: string, configured: string | null): AdminToken {
  if (configured !== null) return new AdminToken(configured, null);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, 'admin-token');
  const token = (readPrivateFile(path) ?? generate(path)).trim();
  if (token.length < 16) throw new Error(`${path} holds no token: delete it, and the next start makes a new one`);
  return new AdminToken(token, path);
}

function generate(path: string): string {
  createPrivateFile(path, `${randomBytes(32).toString('hex')}\n`);
  return readPrivateFile(path) ?? '';
}
