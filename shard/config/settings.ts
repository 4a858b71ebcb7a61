import { CLUSTER_SETTINGS } from './cluster-settings.ts';
import { bytes, choice, integer, milliseconds, path, text } from './kinds.ts';
import { HOST, offOr, optional, PORT, type Setting, setting } from './setting.ts';

export type { Setting };

const MIB = 2 ** 20;
const DAY = 86_400_000;
/** 0 switches a limit off */
const LIMIT = integer(0, Number.MAX_SAFE_INTEGER);

/** Every setting of a shard but the secrets: the one table behind environment, flags, checks and --help. */
export const SETTINGS = {
  port: setting('ENC_PORT', PORT, 8080, 'port of the public API; 0 takes a free one'),
  host: setting('ENC_HOST', HOST, '127.0.0.1', 'address of the public API'),
  data: setting('ENC_DATA', path, './data', 'data folder; holds log/, guard/ and keys/'),
  name: setting(
    'ENC_NAME',
    text('NAME', /^[\w .:-]{1,64}$/, 'up to 64 letters, digits, spaces, _ . : -'),
    'enc-node',
    'name of this node in GET /',
  ),

  opsPort: optional<number | 'off'>(
    'ENC_OPS_PORT',
    offOr(PORT),
    'the public port + 1',
    'operator port (/healthz, /readyz, /metrics), or off',
  ),
  opsHost: setting('ENC_OPS_HOST', HOST, '127.0.0.1', 'address of the operator port; keep it off the public network'),
  logDir: optional('ENC_LOG_DIR', path, 'log/ in the data folder', 'where the log is'),
  guardDir: optional(
    'ENC_GUARD_DIR',
    path,
    'guard/ in the data folder',
    'where the release guard is; best on another volume',
  ),
  keysDir: optional('ENC_KEYS_DIR', path, 'keys/ in the data folder', 'where keys and the admin token are'),
  archiveDir: optional(
    'ENC_ARCHIVE_DIR',
    { ...path, word: 'PLACE' },
    'no archive',
    'where closed bundles are archived: a folder, or s3://bucket/prefix (keys, region, endpoint: AWS_… variables)',
  ),
  logLevel: setting(
    'ENC_LOG_LEVEL',
    choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    'info',
    'what goes to the log',
  ),

  create: setting(
    'ENC_CREATE',
    { ...path, word: 'WHO' },
    'anyone',
    'who may create enclaves: anyone, admin, or a file of public keys, one a line',
  ),
  maxEnclavesPerCreator: setting('ENC_MAX_ENCLAVES_PER_CREATOR', LIMIT, 0, 'enclaves per creator; 0 = no limit'),
  maxBytesPerEnclave: setting(
    'ENC_MAX_BYTES_PER_ENCLAVE',
    bytes(0, Number.MAX_SAFE_INTEGER),
    0,
    'bytes an enclave may hold; 0 = no limit',
  ),
  maxLeavesPerEnclave: setting(
    'ENC_MAX_LEAVES_PER_ENCLAVE',
    LIMIT,
    0,
    'leaves of the state tree of an enclave; 0 = no limit',
  ),
  commitsPerSecondPerEnclave: setting(
    'ENC_COMMITS_PER_SECOND_PER_ENCLAVE',
    LIMIT,
    0,
    'commits per second to an enclave; 0 = no limit',
  ),
  commitsPerSecondPerAddress: setting(
    'ENC_COMMITS_PER_SECOND_PER_ADDRESS',
    LIMIT,
    0,
    'commits per second from an address; 0 = no limit',
  ),

  expWindow: setting(
    'ENC_EXP_WINDOW_MS',
    milliseconds(1000, DAY),
    600_000,
    'how far in the future the exp of a commit may be',
  ),
  clockSkewAlarm: setting(
    'ENC_CLOCK_SKEW_ALARM_MS',
    milliseconds(1, DAY),
    5000,
    'an enclave so far ahead of the clock is reported',
  ),
  maxActive: setting(
    'ENC_MAX_ACTIVE',
    integer(1, 16_000),
    8192,
    'enclaves in memory at once; the least recently used go to sleep',
  ),
  maxActiveBytes: setting(
    'ENC_MAX_ACTIVE_BYTES',
    bytes(16 * MIB, Number.MAX_SAFE_INTEGER),
    1024 * MIB,
    'kernel memory of the active enclaves together',
  ),
  idleAfter: setting(
    'ENC_IDLE_AFTER_MS',
    milliseconds(1000, DAY),
    300_000,
    'an enclave unused for this long goes to sleep',
  ),

  maxBody: setting('ENC_MAX_BODY', bytes(1024, 1024 * MIB), 8 * MIB, 'size of a request body'),
  maxCommit: setting('ENC_MAX_COMMIT', bytes(1024, 64 * MIB), MIB, 'size of one commit'),
  maxArray: setting('ENC_MAX_ARRAY', integer(1, 10_000), 1000, 'commits in one request'),
  maxPendingBytes: setting(
    'ENC_MAX_PENDING_BYTES',
    bytes(MIB, Number.MAX_SAFE_INTEGER),
    256 * MIB,
    'commits under way at once; more are overloaded',
  ),
  maxConnections: setting('ENC_MAX_CONNECTIONS', integer(1, 1_000_000), 10_000, 'connections at once'),
  headerTimeout: setting(
    'ENC_HEADER_TIMEOUT_MS',
    milliseconds(100, 3_600_000),
    10_000,
    'time in which request headers must have arrived',
  ),
  requestTimeout: setting(
    'ENC_REQUEST_TIMEOUT_MS',
    milliseconds(100, 3_600_000),
    60_000,
    'time in which a whole request must have arrived; of a restored file, the longest pause',
  ),

  crypto: optional('ENC_CRYPTO', choice('native', 'wasm', 'noble'), 'the fastest there is', 'secp256k1 back end'),
  cryptoWorkers: optional(
    'ENC_CRYPTO_WORKERS',
    integer(1, 64),
    '2, or 1 on one core',
    'threads that check and make signatures',
  ),

  ...CLUSTER_SETTINGS,
} as const;

export type SettingName = keyof typeof SETTINGS;
export type RawSettings = {
  readonly [Name in SettingName]: (typeof SETTINGS)[Name] extends Setting<infer T> ? T : never;
};
