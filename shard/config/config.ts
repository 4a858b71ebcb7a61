import { join, relative, resolve } from 'node:path';
import { type ArchivePlace, readArchivePlace } from '../../protocol/archive-name.ts';
import { type ClusterConfig, clusterConfig } from './cluster-config.ts';
import { ConfigError } from './env.ts';
import type { RawSettings } from './settings.ts';

/** The checked configuration of a shard. Paths are absolute, times in ms, sizes in bytes; a limit of 0 is off. */
export interface Config {
  readonly name: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** the public API is reachable from this machine only */
  readonly loopback: boolean;
  /** null = switched off */
  readonly operator: { readonly host: string; readonly port: number } | null;
  readonly folders: {
    readonly data: string;
    readonly log: string;
    readonly guard: string;
    readonly keys: string;
  };
  /** null = closed bundles are kept in the log only */
  readonly archive: ArchivePlace | null;
  readonly logLevel: RawSettings['logLevel'];
  readonly admission: {
    /** `{ file }`: only the public keys in it (creators.ts) */
    readonly create: 'anyone' | 'admin' | { readonly file: string };
    readonly maxEnclavesPerCreator: number;
    readonly maxBytesPerEnclave: number;
    readonly maxLeavesPerEnclave: number;
    readonly commitsPerSecondPerEnclave: number;
    readonly commitsPerSecondPerAddress: number;
  };
  readonly enclaves: {
    readonly expWindow: number;
    readonly clockSkewAlarm: number;
    readonly maxActive: number;
    readonly maxActiveBytes: number;
    readonly idleAfter: number;
  };
  readonly http: {
    readonly maxBody: number;
    readonly maxCommit: number;
    readonly maxArray: number;
    readonly maxPendingBytes: number;
    readonly maxConnections: number;
    readonly headerTimeout: number;
    readonly requestTimeout: number;
  };
  readonly crypto: {
    /** null = the fastest there is */
    readonly backend: 'native' | 'wasm' | 'noble' | null;
    /** null = as many as fit the machine */
    readonly workers: number | null;
  };
  /** null: a single node with the public API */
  readonly cluster: ClusterConfig | null;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** Checks the settings against each other. Throws ConfigError: one sentence, naming the variable and what to set. */
export function makeConfig(raw: RawSettings): Config {
  const data = resolve(raw.data);
  const folder = (given: string | null, name: string): string => (given === null ? join(data, name) : resolve(given));
  const folders = {
    data,
    log: folder(raw.logDir, 'log'),
    guard: folder(raw.guardDir, 'guard'),
    keys: folder(raw.keysDir, 'keys'),
  };
  const archive = archivePlace(raw.archiveDir);
  checkFolders(folders, archive);
  checkDoor(raw);
  return {
    name: raw.name,
    listen: { host: raw.host, port: raw.port },
    loopback: isLoopback(raw.host),
    operator: operatorPort(raw),
    folders,
    archive,
    logLevel: raw.logLevel,
    admission: {
      create: raw.create === 'anyone' || raw.create === 'admin' ? raw.create : { file: resolve(raw.create) },
      maxEnclavesPerCreator: raw.maxEnclavesPerCreator,
      maxBytesPerEnclave: raw.maxBytesPerEnclave,
      maxLeavesPerEnclave: raw.maxLeavesPerEnclave,
      commitsPerSecondPerEnclave: raw.commitsPerSecondPerEnclave,
      commitsPerSecondPerAddress: raw.commitsPerSecondPerAddress,
    },
    enclaves: {
      expWindow: raw.expWindow,
      clockSkewAlarm: raw.clockSkewAlarm,
      maxActive: raw.maxActive,
      maxActiveBytes: raw.maxActiveBytes,
      idleAfter: raw.idleAfter,
    },
    http: {
      maxBody: raw.maxBody,
      maxCommit: raw.maxCommit,
      maxArray: raw.maxArray,
      maxPendingBytes: raw.maxPendingBytes,
      maxConnections: raw.maxConnections,
      headerTimeout: raw.headerTimeout,
      requestTimeout: raw.requestTimeout,
    },
    crypto: { backend: raw.crypto, workers: raw.cryptoWorkers },
    cluster: clusterConfig(raw),
  };
}

/** The limits of the HTTP door against each other. Throws ConfigError. */
export function checkDoor(
  raw: Pick<RawSettings, 'maxBody' | 'maxCommit' | 'headerTimeout' | 'requestTimeout' | 'maxPendingBytes'>,
): void {
  if (raw.maxCommit > raw.maxBody) {
    throw new ConfigError(
      `ENC_MAX_COMMIT (${raw.maxCommit}) exceeds ENC_MAX_BODY (${raw.maxBody}): set ENC_MAX_BODY to at least as much`,
    );
  }
  if (raw.headerTimeout > raw.requestTimeout) {
    throw new ConfigError(
      'ENC_HEADER_TIMEOUT_MS exceeds ENC_REQUEST_TIMEOUT_MS: set ENC_REQUEST_TIMEOUT_MS to at least as much',
    );
  }
  if (raw.maxPendingBytes < raw.maxBody) {
    throw new ConfigError(
      'ENC_MAX_PENDING_BYTES is less than ENC_MAX_BODY: set it to at least as much, or one large body is refused for ever',
    );
  }
}

export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** Where the operator port is, null = switched off. Throws ConfigError. */
export function operatorPort(raw: Pick<RawSettings, 'port' | 'opsPort' | 'opsHost'>): Config['operator'] {
  if (raw.opsPort === 'off') return null;
  const port = raw.opsPort ?? (raw.port === 0 ? 0 : raw.port + 1);
  if (port > 65_535)
    throw new ConfigError(`no port follows ENC_PORT (${raw.port}): set ENC_OPS_PORT to a free one, or to off`);
  if (port === raw.port && port !== 0)
    throw new ConfigError(`ENC_OPS_PORT is the public port (${port}): set it to another one, or to off`);
  return { host: raw.opsHost, port };
}

function archivePlace(text: string | null): ArchivePlace | null {
  if (text === null) return null;
  const place = readArchivePlace(text);
  // Not shown: whoever writes it in another form may have put a secret into it.
  if (place === null)
    throw new ConfigError('ENC_ARCHIVE_DIR is no place: set it to a folder, or to s3://bucket/prefix');
  return place.kind === 'folder' ? { kind: 'folder', path: resolve(place.path) } : place;
}

/** Each folder is backed up, restored and wiped on its own, so none lies in another. */
function checkFolders(folders: Config['folders'], archive: ArchivePlace | null): void {
  const parts: (readonly [string, string])[] = [
    ['ENC_LOG_DIR', folders.log],
    ['ENC_GUARD_DIR', folders.guard],
    ['ENC_KEYS_DIR', folders.keys],
  ];
  if (archive?.kind === 'folder') parts.push(['ENC_ARCHIVE_DIR', archive.path]);
  for (const [name, folder] of parts) {
    for (const [other, within] of parts) {
      if (name !== other && !/^\.\.([/\\]|$)/.test(relative(within, folder))) {
        throw new ConfigError(`${name} (${folder}) lies in ${other} (${within}): set it to a folder of its own`);
      }
    }
  }
}
