import { readFileSync } from 'node:fs';
import { ConfigError } from './env.ts';

/**
 * The identities that may create enclaves: a file of x-only public keys (64 lower-case hex digits), one a line, `#`
 * begins a comment. Throws ConfigError naming the line.
 */
export function readCreators(file: string): ReadonlySet<string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new ConfigError(
      `ENC_CREATE names ${file}, which can not be read: set it to anyone, admin, or a file of public keys`,
    );
  }
  const creators = new Set<string>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const key = line.replace(/#.*/, '').trim();
    if (key === '') continue;
    if (!/^[0-9a-f]{64}$/.test(key)) {
      throw new ConfigError(
        `${file} (ENC_CREATE), line ${index + 1}: write one public key of 64 lower-case hex digits a line`,
      );
    }
    creators.add(key);
  }
  return creators;
}
