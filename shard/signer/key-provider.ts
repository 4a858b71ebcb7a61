import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { createPrivateFile, readPrivateFile } from './private-file.ts';

/** One version of the master secret. The bytes never leave by printing: only `use` sees them. */
export class MasterSecret {
  readonly version: number;
  readonly #secret: Uint8Array;

  /** Takes the 32 bytes over; wipe() ends them. */
  constructor(version: number, secret: Uint8Array) {
    this.version = version;
    this.#secret = secret;
  }

  use<T>(use: (secret: Uint8Array) => T): T {
    return use(this.#secret);
  }

  /** 32 bytes for one purpose (HKDF-SHA256, no salt); the caller wipes them. */
  derive(info: string): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', this.#secret, '', info, 32));
  }

  /** Tells two secrets of one version apart without saying anything about either. */
  fingerprint(): Buffer {
    return createHmac('sha256', this.#secret).update('enc:fingerprint').digest();
  }

  wipe(): void {
    this.#secret.fill(0);
  }

  toString(): string {
    return `MasterSecret(version ${this.version})`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Where master secrets come from (ARCHITECTURE §5). */
export interface KeyProvider {
  /** All versions, oldest first; null if none was ever made here. Throws a sentence for the operator. */
  load(): Promise<MasterSecret[] | null>;
  /** Makes the first version durable, then returns it. Called only where load() gave null. */
  create(): Promise<MasterSecret[]>;
}

/**
 * Master secrets in a file of mode 0600: `{"format":1,"versions":[{"version":1,"secret":"<64 hex digits>"}]}`. New
 * enclaves take the highest version. To rotate, add a version and start again; a version that was ever used stays.
 */
export function fileKeyProvider(path: string): KeyProvider {
  const load = async (): Promise<MasterSecret[] | null> => {
    const text = readPrivateFile(path);
    return text === null ? null : parse(path, text);
  };
  return {
    load,
    async create() {
      const file = { format: 1, versions: [{ version: 1, secret: randomBytes(32).toString('hex') }] };
      createPrivateFile(path, `${JSON.stringify(file, null, 2)}\n`);
      return (await load()) ?? [];
    },
  };
}

function parse(path: string, text: string): MasterSecret[] {
  const damaged = new Error(`${path} is damaged: put it back from your backup`); // never quotes what it found
  let file: { format?: unknown; versions?: unknown } | null;
  try {
    file = JSON.parse(text);
  } catch {
    throw damaged;
  }
  if (typeof file !== 'object' || file === null) throw damaged;
  if (file.format !== 1)
    throw new Error(`${path} has a format that this version does not know: use the version that wrote it`);
  if (!Array.isArray(file.versions) || file.versions.length === 0) throw damaged;
  const secrets = (file.versions as unknown[]).map((entry) => {
    const { version, secret } = (entry ?? {}) as { version?: unknown; secret?: unknown };
    if (!Number.isInteger(version) || (version as number) < 1 || (version as number) > 0xffff) throw damaged;
    if (typeof secret !== 'string' || !/^[0-9a-f]{64}$/.test(secret)) throw damaged;
    return new MasterSecret(version as number, Buffer.from(secret, 'hex'));
  });
  secrets.sort((a, b) => a.version - b.version);
  if (secrets.some((secret, i) => secret.version === secrets[i - 1]?.version)) throw damaged;
  return secrets;
}
