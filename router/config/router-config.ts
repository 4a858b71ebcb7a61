import { join, resolve } from 'node:path';
import { linkTls } from '../../shard/config/cluster-config.ts';
import { checkDoor, isLoopback, operatorPort } from '../../shard/config/config.ts';
import { ConfigError, type Program, readSettings } from '../../shard/config/env.ts';
import { redisAddress } from '../../shard/config/redis-address.ts';
import { ROUTER_SETTINGS } from './router-settings.ts';

/** The checked configuration of a router. Paths are absolute, times in ms, sizes in bytes; a limit of 0 is off. */
export interface RouterConfig {
  readonly listen: { readonly host: string; readonly port: number };
  readonly loopback: boolean;
  readonly operator: { readonly host: string; readonly port: number } | null;
  /** folder of the admin token that is made up if none is given */
  readonly keys: string;
  readonly logLevel: RawRouterSettings['logLevel'];
  readonly topology: string;
  /** shards to begin with, null: somebody else publishes the topology */
  readonly shards: number | null;
  readonly linkSecret: string;
  readonly tls: ReturnType<typeof linkTls>;
  readonly timeout: number;
  /** ms */
  readonly lameDuck: number;
  readonly http: {
    readonly maxBody: number;
    readonly maxCommit: number;
    readonly maxArray: number;
    readonly maxPendingBytes: number;
    readonly maxConnections: number;
    readonly headerTimeout: number;
    readonly requestTimeout: number;
  };
  readonly commitsPerSecondPerAddress: number;
}

const ROUTER: Program = {
  name: 'node router/main.ts',
  description: 'Runs a router of an ENC cluster.',
  secrets:
    '  ENC_ADMIN_TOKEN       bearer token of the admin calls (default: one is generated and kept, mode 0600, in keys/admin-token)\n' +
    '  ENC_ADMIN_TOKEN_FILE  a file that holds it',
};

type Read = ReturnType<typeof readRouterEnv>;
export type RawRouterSettings = Extract<Read, { kind: 'settings' }>['raw'];

export function readRouterEnv(env: Readonly<Record<string, string | undefined>>, argv: readonly string[]) {
  return readSettings(ROUTER_SETTINGS, ROUTER, env, argv);
}

/** Throws ConfigError: one sentence, naming the variable and what to set. */
export function makeRouterConfig(raw: RawRouterSettings): RouterConfig {
  checkDoor(raw);
  if (raw.topologyUrl === null) throw new ConfigError('set ENC_TOPOLOGY_URL to the Redis that holds the topology');
  redisAddress('ENC_TOPOLOGY_URL', raw.topologyUrl);
  if (raw.linkSecret === null)
    throw new ConfigError('set ENC_LINK_SECRET to the file with the secret that routers and shards share');
  const { maxBody, maxCommit, maxArray, maxPendingBytes, maxConnections, headerTimeout, requestTimeout } = raw;
  return {
    listen: { host: raw.host, port: raw.port },
    loopback: isLoopback(raw.host),
    operator: operatorPort(raw),
    keys: raw.keysDir === null ? join(resolve(raw.data), 'keys') : resolve(raw.keysDir),
    logLevel: raw.logLevel,
    topology: raw.topologyUrl,
    shards: raw.shards,
    linkSecret: resolve(raw.linkSecret),
    tls: linkTls(raw.linkCert, raw.linkKey, raw.linkCa),
    timeout: raw.timeout,
    lameDuck: raw.lameDuck,
    http: { maxBody, maxCommit, maxArray, maxPendingBytes, maxConnections, headerTimeout, requestTimeout },
    commitsPerSecondPerAddress: raw.commitsPerSecondPerAddress,
  };
}
