import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type RedisPlace, splitPlaces } from '../../cluster/redis/redis-place.ts';
import { ConfigError } from './env.ts';
import { redisAddress } from './redis-address.ts';
import type { RawSettings } from './settings.ts';

/** Where the stores are that the shards of a cluster share. */
export interface RedisStoresConfig {
  /** the enclave's jump hash chooses one (shard/log/split-log.ts) */
  readonly logs: readonly RedisPlace[];
  readonly guard: RedisPlace;
  /** both on one server after all */
  readonly allowShared: boolean;
  /** servers whose settings lose writes */
  readonly allowUnsafe: boolean;
}

/** What a shard of a cluster needs besides. */
export interface ClusterConfig {
  /** number of this shard */
  readonly shard: number;
  /** null: log, guard and keys are in the data folder, and no other shard can take over */
  readonly redis: RedisStoresConfig | null;
  /** redis:// of the topology store */
  readonly topology: string;
  readonly link: {
    readonly host: string;
    readonly port: number;
    /** what routers are told to connect to; null: as it listens */
    readonly url: string | null;
    /** file */
    readonly secret: string;
    readonly maxRequests: number;
    readonly maxBytes: number;
    readonly tls: { readonly cert: Buffer; readonly key: Buffer; readonly ca: Buffer } | null;
  };
}

/** Null for a single node. Throws ConfigError. */
export function clusterConfig(raw: RawSettings): ClusterConfig | null {
  if (raw.shard === null) return null;
  if (raw.linkSecret === null)
    throw new ConfigError(
      'ENC_SHARD makes this a shard of a cluster: set ENC_LINK_SECRET to the file with its link secret',
    );
  const topology = raw.topologyUrl ?? (raw.logRedis && (splitPlaces(raw.logRedis)[0] as string));
  if (topology === null)
    throw new ConfigError('ENC_SHARD makes this a shard of a cluster: set ENC_TOPOLOGY_URL to its topology store');
  redisAddress(raw.topologyUrl === null ? 'ENC_LOG_REDIS' : 'ENC_TOPOLOGY_URL', topology);
  if (raw.linkBytes < raw.maxBody)
    throw new ConfigError('ENC_LINK_BYTES is less than ENC_MAX_BODY: set it to at least as much');
  return {
    shard: raw.shard,
    redis: redisStores(raw),
    topology,
    link: {
      host: raw.linkHost,
      port: raw.linkPort,
      url: raw.linkUrl,
      secret: resolve(raw.linkSecret),
      maxRequests: raw.linkRequests,
      maxBytes: raw.linkBytes,
      tls: linkTls(raw.linkCert, raw.linkKey, raw.linkCa),
    },
  };
}

function redisStores(raw: RawSettings): RedisStoresConfig | null {
  if (raw.logRedis === null && raw.guardRedis === null) return null;
  if (raw.logRedis === null || raw.guardRedis === null)
    throw new ConfigError('set both ENC_LOG_REDIS and ENC_GUARD_REDIS: the guard shows what the log has lost');
  return {
    logs: logServers('ENC_LOG_REDIS', raw.logRedis),
    guard: redisAddress('ENC_GUARD_REDIS', raw.guardRedis),
    allowShared: raw.allowSharedRedis === 'yes',
    allowUnsafe: raw.allowUnsafeRedis === 'yes',
  };
}

/** Addresses of log servers with commas between. Throws ConfigError. */
export function logServers(variable: string, text: string): RedisPlace[] {
  const all = splitPlaces(text);
  const twice = all.find((one, i) => all.indexOf(one) !== i);
  if (twice !== undefined) throw new ConfigError(`${variable} names one server twice: name each once`);
  return all.map((one) => redisAddress(variable, one));
}

/** All three files or none. Throws ConfigError. */
export function linkTls(cert: string | null, key: string | null, ca: string | null): ClusterConfig['link']['tls'] {
  if (cert === null && key === null && ca === null) return null;
  if (cert === null || key === null || ca === null)
    throw new ConfigError('set all of ENC_LINK_CERT, ENC_LINK_KEY and ENC_LINK_CA, or none of them');
  return { cert: pem('ENC_LINK_CERT', cert), key: pem('ENC_LINK_KEY', key), ca: pem('ENC_LINK_CA', ca) };
}

function pem(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new ConfigError(`${name} names ${path}, which can not be read: set it to a PEM file`);
  }
}
