import { bytes, choice, integer, path, text } from './kinds.ts';
import { HOST, optional, PORT, setting } from './setting.ts';

const MIB = 2 ** 20;
const REDIS_URL = text(
  'URL',
  /^(rediss?|sentinels?):\/\/\S{1,1024}$/,
  'a Redis address, such as redis://127.0.0.1:6379 or sentinel://a:26379,b:26379/name',
);
const REDIS_URLS = text(
  'URL[,URL]',
  /^(rediss?|sentinels?):\/\/\S{1,16384}$/,
  'a Redis address, such as redis://127.0.0.1:6379 or sentinel://a:26379,b:26379/name, or several with commas between',
);

/** Of shards in a cluster, and of their links to routers. */
export const CLUSTER_SETTINGS = {
  shard: optional('ENC_SHARD', integer(0, 65_534), 'a single node', 'number of this shard in its cluster'),
  logRedis: optional(
    'ENC_LOG_REDIS',
    REDIS_URLS,
    'the data folder',
    'cluster: Redis that holds the log and the keys; several with commas between share the enclaves',
  ),
  guardRedis: optional(
    'ENC_GUARD_REDIS',
    REDIS_URL,
    'the data folder',
    'cluster: Redis that holds the release guard, on other machines than the log',
  ),
  allowSharedRedis: setting(
    'ENC_ALLOW_SHARED_REDIS',
    choice('no', 'yes'),
    'no',
    'cluster: log and guard on one Redis: what destroys one then destroys what would have shown it',
  ),
  allowUnsafeRedis: setting(
    'ENC_ALLOW_UNSAFE_REDIS',
    choice('no', 'yes'),
    'no',
    'cluster: use Redis servers whose settings may lose what was acknowledged',
  ),
  topologyUrl: optional(
    'ENC_TOPOLOGY_URL',
    REDIS_URL,
    'the first of the log',
    'cluster: Redis that holds topology and heartbeats',
  ),
  linkHost: setting('ENC_LINK_HOST', HOST, '127.0.0.1', 'cluster: address on which routers reach this shard'),
  linkPort: setting('ENC_LINK_PORT', PORT, 0, 'cluster: port on which routers reach this shard; 0 takes a free one'),
  linkUrl: optional(
    'ENC_LINK_URL',
    text('URL', /^wss?:\/\/\S{1,1024}$/, 'an address such as ws://shard-0.enc:9000'),
    'as it listens',
    'cluster: what routers connect to',
  ),
  linkSecret: optional('ENC_LINK_SECRET', path, 'none', 'cluster: file with the secret that its processes share'),
  linkRequests: setting('ENC_LINK_REQUESTS', integer(1, 1_000_000), 8192, 'cluster: requests under way on one link'),
  linkBytes: setting('ENC_LINK_BYTES', bytes(MIB, 2 ** 31), 64 * MIB, 'cluster: bytes under way on one link'),
  linkCert: optional('ENC_LINK_CERT', path, 'no TLS', 'cluster: certificate of this process on links (PEM)'),
  linkKey: optional('ENC_LINK_KEY', path, 'no TLS', 'cluster: its key (PEM)'),
  linkCa: optional('ENC_LINK_CA', path, 'no TLS', 'cluster: what signed the certificates of all processes (PEM)'),
} as const;
