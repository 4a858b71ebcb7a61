import { CLUSTER_SETTINGS } from '../../shard/config/cluster-settings.ts';
import { integer, milliseconds } from '../../shard/config/kinds.ts';
import { optional, setting } from '../../shard/config/setting.ts';
import { SETTINGS } from '../../shard/config/settings.ts';

/** Every setting of a router but the secrets. What it shares with a single node has the same name and meaning. */
export const ROUTER_SETTINGS = {
  port: SETTINGS.port,
  host: SETTINGS.host,
  opsPort: SETTINGS.opsPort,
  opsHost: SETTINGS.opsHost,
  data: setting('ENC_DATA', SETTINGS.data.kind, './data', 'folder of keys/admin-token, if no token is given'),
  keysDir: SETTINGS.keysDir,
  logLevel: SETTINGS.logLevel,
  topologyUrl: CLUSTER_SETTINGS.topologyUrl,
  shards: optional(
    'ENC_SHARDS',
    integer(1, 65_535),
    'none is published',
    'shards of a cluster that has no topology yet; later `enc admin topology set` changes it',
  ),
  linkSecret: CLUSTER_SETTINGS.linkSecret,
  linkCert: CLUSTER_SETTINGS.linkCert,
  linkKey: CLUSTER_SETTINGS.linkKey,
  linkCa: CLUSTER_SETTINGS.linkCa,
  timeout: setting(
    'ENC_ROUTER_TIMEOUT_MS',
    milliseconds(100, 600_000),
    8000,
    'time in which a call is answered, whatever happens to shards meanwhile',
  ),
  lameDuck: setting(
    'ENC_LAME_DUCK_MS',
    milliseconds(0, 600_000),
    0,
    'time after SIGTERM in which calls are still taken, though /readyz says no, so that load balancers turn away first',
  ),
  maxBody: SETTINGS.maxBody,
  maxCommit: SETTINGS.maxCommit,
  maxArray: SETTINGS.maxArray,
  maxPendingBytes: SETTINGS.maxPendingBytes,
  maxConnections: SETTINGS.maxConnections,
  headerTimeout: SETTINGS.headerTimeout,
  requestTimeout: SETTINGS.requestTimeout,
  commitsPerSecondPerAddress: SETTINGS.commitsPerSecondPerAddress,
} as const;
