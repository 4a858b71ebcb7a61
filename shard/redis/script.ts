import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One Lua file = one command, called by its hash. */
export interface Script {
  readonly name: string;
  readonly text: string;
  /** sha1 of the text, 40 hex digits */
  readonly sha: string;
  /** number of keys, from the file's name (`advance-1.lua`); null: any number (`advance-n.lua`) */
  readonly keys: number | null;
}

/** Reads a script at start; throws when its name does not say how many keys it takes. */
export function loadScript(file: URL): Script {
  const path = fileURLToPath(file);
  const match = /^([a-z0-9-]+)-(\d+|n)\.lua$/.exec(basename(path));
  if (!match) throw new Error(`${basename(path)} does not say how many keys it takes: name it like advance-1.lua`);
  const text = readFileSync(path, 'utf8');
  const sha = createHash('sha1').update(text).digest('hex');
  return { name: match[1] as string, text, sha, keys: match[2] === 'n' ? null : Number(match[2]) };
}

/** The command that runs it. Throws RangeError when the number of keys is not the script's. */
export function callScript(script: Script, keys: readonly Arg[], args: readonly Arg[]): Arg[] {
  if (script.keys !== null && script.keys !== keys.length)
    throw new RangeError(`${script.name} takes ${script.keys} keys, not ${keys.length}`);
  return ['EVALSHA', script.sha, String(keys.length), ...keys, ...args];
}

/** One part of a command: bytes, or text in ASCII. Bytes must not change until the command has been answered. */
export type Arg = Uint8Array | string;
