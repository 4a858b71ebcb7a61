import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { makeConfig } from './config.ts';
import { readCreators } from './creators.ts';
import { ConfigError, readEnv } from './env.ts';
import { readSecrets } from './secrets.ts';
import { flagOf } from './setting.ts';
import { SETTINGS } from './settings.ts';

type Env = Record<string, string>;

function read(env: Env = {}, ...argv: string[]) {
  const read = readEnv(env, argv);
  assert.equal(read.kind, 'settings');
  return read.kind === 'settings' ? read.raw : assert.fail();
}

const config = (env: Env = {}, ...argv: string[]) => makeConfig(read(env, ...argv));
const refused = (message: RegExp, env: Env, ...argv: string[]) =>
  assert.throws(
    () => config(env, ...argv),
    (error: Error) => error instanceof ConfigError && message.test(error.message) && !error.message.includes('\n'),
  );

describe('settings', () => {
  test('nonsense is refused in a sentence that names the variable and what to set', () => {
    for (const bad of ['abc', '-1', '65536', '80.5', '8e3', ' 80', '80 ', '0x50', '１２', '99999999999999999999']) {
      refused(/^ENC_PORT is ".*": set it to a whole number from 0 to 65,535$/, { ENC_PORT: bad });
      refused(/^--port is ".*": set it to a whole number/, {}, `--port=${bad}`);
    }
    for (const bad of ['8 MiB', '8MB', 'MiB', '1.5MiB', '-1', '100', '9999TiB'])
      refused(/^ENC_MAX_BODY is .*8MiB$/, { ENC_MAX_BODY: bad });
    for (const bad of ['fast', 'Native', 'native '])
      refused(/^ENC_CRYPTO is .*one of native, wasm, noble$/, { ENC_CRYPTO: bad });
    refused(/^ENC_HOST is/, { ENC_HOST: 'http://x' });
    refused(/^ENC_DATA is/, { ENC_DATA: 'a\nb' });
    refused(/^ENC_MAX_ACTIVE is/, { ENC_MAX_ACTIVE: '16001' });
    refused(/^ENC_OPS_PORT is .*, or off$/, { ENC_OPS_PORT: 'on' });
    refused(/^ENC_NAME is/, { ENC_NAME: '"><script>' });
    refused(/^ENC_PORT is "a{80}"/, { ENC_PORT: 'a'.repeat(100_000) });
  });

  test('an unknown flag is refused with a suggestion, as are stray words and missing values', () => {
    refused(/unknown option '--prot' \(Did you mean --port\?\); --help lists all settings/, {}, '--prot', '1');
    refused(/unknown option '--xyzzy'/, {}, '--xyzzy');
    refused(/unknown option '-p'/, {}, '-p', '80');
    refused(/unknown option '--admin-token/, {}, '--admin-token=x'); // secrets are never on a command line
    refused(/too many arguments/, {}, 'start');
    refused(/--port <PORT>' argument missing/, {}, '--port');
  });

  test('a flag beats the environment, which beats the default; an empty variable is not set', () => {
    assert.equal(config().listen.port, 8080);
    assert.equal(config({ ENC_PORT: '' }).listen.port, 8080);
    assert.equal(config({ ENC_PORT: '9000' }).listen.port, 9000);
    assert.equal(config({ ENC_PORT: '9000' }, '--port', '9001').listen.port, 9001);
    assert.equal(config({}, '--port=0').listen.port, 0);
    assert.equal(read({ ENC_MAX_BODY: '16MiB' }).maxBody, 16_777_216);
    assert.equal(read({}, '--commits-per-second-per-enclave', '5').commitsPerSecondPerEnclave, 5);
  });

  test('every default is a value that its own check accepts, and every name is used once', () => {
    const settings = Object.values(SETTINGS);
    for (const { env, kind, default: value } of settings)
      if (value !== null) assert.deepEqual(kind.parse(String(value)), value, env);
    assert.equal(new Set(settings.map(({ env }) => env)).size, settings.length);
  });

  test('--help names every variable, flag and default', () => {
    const help = readEnv({ ENC_PORT: 'nonsense' }, ['--help']);
    const text = help.kind === 'help' ? help.text.replace(/\s+/g, ' ') : '';
    for (const { env } of Object.values(SETTINGS)) {
      assert.ok(text.includes(`${env}, default: `), env);
      assert.ok(text.includes(`${flagOf(env)} <`), env);
    }
    assert.match(text, /ENC_ADMIN_TOKEN/);
  });
});

describe('configuration', () => {
  test('settings that contradict each other are refused', () => {
    refused(/^ENC_MAX_COMMIT \(1048576\) exceeds ENC_MAX_BODY/, { ENC_MAX_BODY: '512KiB' });
    refused(/^ENC_HEADER_TIMEOUT_MS exceeds/, { ENC_HEADER_TIMEOUT_MS: '5000', ENC_REQUEST_TIMEOUT_MS: '4000' });
    refused(/^ENC_MAX_PENDING_BYTES is less/, { ENC_MAX_PENDING_BYTES: '4MiB' });
    refused(/^ENC_OPS_PORT is the public port/, { ENC_OPS_PORT: '8080' });
    refused(/^no port follows ENC_PORT/, { ENC_PORT: '65535' });
  });

  test('no folder may be another one or lie in it', () => {
    refused(/^ENC_GUARD_DIR .* lies in ENC_LOG_DIR/, { ENC_LOG_DIR: '/a', ENC_GUARD_DIR: '/a/guard' });
    refused(/lies in/, { ENC_LOG_DIR: '/a', ENC_GUARD_DIR: '/a/../a/' });
    refused(/^ENC_LOG_DIR .* lies in ENC_KEYS_DIR/, { ENC_KEYS_DIR: './data' });
    assert.equal(config({ ENC_LOG_DIR: '/a/log', ENC_GUARD_DIR: '/a/log-guard' }).folders.guard, '/a/log-guard');
  });

  test('an archive is a folder or a place in S3, and there is none unless it is set', () => {
    assert.equal(config({}).archive, null);
    assert.deepEqual(config({ ENC_ARCHIVE_DIR: '/mnt/archive' }).archive, { kind: 'folder', path: '/mnt/archive' });
    assert.deepEqual(config({}, '--archive-dir', 's3://my-bucket/enc/node-1').archive, {
      kind: 's3',
      bucket: 'my-bucket',
      prefix: 'enc/node-1/',
    });
    assert.deepEqual(config({ ENC_ARCHIVE_DIR: 's3://my-bucket' }).archive, {
      kind: 's3',
      bucket: 'my-bucket',
      prefix: '',
    });
    for (const wrong of ['s3:bucket', 's3://', 's3://B', 's3://my-bucket/../x', 's3://user:secret@host/bucket'])
      assert.throws(() => config({ ENC_ARCHIVE_DIR: wrong }), /ENC_ARCHIVE_DIR/);
    assert.throws(() => config({ ENC_ARCHIVE_DIR: '/a/log/archive', ENC_LOG_DIR: '/a/log' }), /ENC_ARCHIVE_DIR/);
  });

  test('folders follow the data folder unless they are placed elsewhere', () => {
    const { folders } = config({ ENC_GUARD_DIR: '/mnt/guard' }, '--data', 'somewhere');
    const data = resolve('somewhere');
    assert.deepEqual(folders, {
      data,
      log: join(data, 'log'),
      guard: '/mnt/guard',
      keys: join(data, 'keys'),
    });
  });

  test('the operator port follows the public one, is free beside a free one, and can be off', () => {
    assert.deepEqual(config().operator, { host: '127.0.0.1', port: 8081 });
    assert.equal(config({ ENC_PORT: '0' }).operator?.port, 0);
    assert.equal(config({ ENC_OPS_PORT: 'off', ENC_PORT: '65535' }).operator, null);
    assert.equal(config({ ENC_OPS_PORT: '9100' }).operator?.port, 9100);
  });

  test('loopback addresses are told from public ones', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1'])
      assert.equal(config({ ENC_HOST: host }).loopback, true);
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org', 'localhost.example.org']) {
      assert.equal(config({ ENC_HOST: host }).loopback, false);
    }
  });

  test('who may create enclaves: anyone, the admin, or a list', () => {
    assert.equal(config().admission.create, 'anyone');
    assert.equal(config({ ENC_CREATE: 'admin' }).admission.create, 'admin');
    assert.deepEqual(config({ ENC_CREATE: 'keys.txt' }).admission.create, { file: resolve('keys.txt') });
  });
});

describe('the list of creators', () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-config-'));
  const file = join(folder, 'creators');
  test('is refused with the line at fault', (t) => {
    t.after(() => rmSync(folder, { recursive: true }));
    assert.throws(
      () => readCreators(join(folder, 'adnim')),
      /ENC_CREATE names .*adnim, which can not be read: set it to anyone, admin/,
    );
    for (const bad of ['xyz', 'AB'.repeat(32), 'ab'.repeat(31), `${'ab'.repeat(32)} x`]) {
      writeFileSync(file, `# ok\n${'cd'.repeat(32)}\n${bad}\n`);
      assert.throws(() => readCreators(file), /line 3: write one public key/);
    }
    writeFileSync(file, `# team\r\n\n${'ab'.repeat(32)}\r\n  ${'cd'.repeat(32)} # Bob`);
    assert.deepEqual([...readCreators(file)], ['ab'.repeat(32), 'cd'.repeat(32)]);
  });
});

describe('secrets', () => {
  test('a token that is no bearer token is refused without being shown', () => {
    for (const bad of ['with space', 'new\nline', 'ü'.repeat(20), 'x'.repeat(257)]) {
      assert.throws(
        () => readSecrets({ ENC_ADMIN_TOKEN: bad }),
        (error: Error) => /^ENC_ADMIN_TOKEN/.test(error.message) && !error.message.includes(bad),
      );
    }
  });

  test('none is fine, a short one is advised against', () => {
    const none = { adminToken: null, traceHeaders: {}, advice: null };
    assert.deepEqual(readSecrets({}), none);
    assert.deepEqual(readSecrets({ ENC_ADMIN_TOKEN: '' }), none);
    assert.equal(readSecrets({ ENC_ADMIN_TOKEN: 'x'.repeat(16) }).advice, null);
    assert.match(readSecrets({ ENC_ADMIN_TOKEN: 'hunter2' }).advice ?? '', /short/);
  });

  test('a token may come in a file, which not everybody may read', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'enc-secrets-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'token');
    const read = () => readSecrets({ ENC_ADMIN_TOKEN_FILE: path });
    assert.throws(read, /ENC_ADMIN_TOKEN_FILE can not be read/);
    writeFileSync(path, 'x'.repeat(32).concat('\n'), { mode: 0o600 });
    assert.deepEqual(read(), { adminToken: 'x'.repeat(32), advice: null, traceHeaders: {} });
    assert.throws(() => readSecrets({ ENC_ADMIN_TOKEN_FILE: path, ENC_ADMIN_TOKEN: 'y' }), /leave one of them out/);
    chmodSync(path, 0o644);
    assert.throws(read, /chmod 600/);
    chmodSync(path, 0o640);
    writeFileSync(path, '\n');
    assert.equal(read().adminToken, null);
  });
});

describe('a shard of a cluster', () => {
  const needed = { ENC_SHARD: '2', ENC_LINK_SECRET: '/s', ENC_LOG_REDIS: 'redis://a', ENC_GUARD_REDIS: 'redis://b' };

  test('needs a link secret, a topology and a guard beside its log', () => {
    assert.equal(config().cluster, null);
    refused(/^ENC_SHARD makes this a shard of a cluster: set ENC_LINK_SECRET/, { ENC_SHARD: '0' });
    refused(/set ENC_TOPOLOGY_URL/, { ENC_SHARD: '0', ENC_LINK_SECRET: '/s' });
    refused(/^set both ENC_LOG_REDIS and ENC_GUARD_REDIS/, { ...needed, ENC_GUARD_REDIS: '' });
    refused(/^set all of ENC_LINK_CERT/, { ...needed, ENC_LINK_CERT: '/c' });
    refused(/^ENC_LINK_BYTES is less than ENC_MAX_BODY/, { ...needed, ENC_LINK_BYTES: '2MiB' });
    const { cluster } = config(needed);
    assert.equal(cluster?.topology, 'redis://a');
    assert.deepEqual(cluster?.redis?.guard.at, { host: 'b', port: 6379 });
  });

  test('Redis addresses name a server, or the Sentinels that know it; a password is never quoted', () => {
    const at = (url: string) => config({ ...needed, ENC_LOG_REDIS: url }).cluster?.redis?.logs[0];
    assert.deepEqual(at('rediss://u:p%40w@h:7000/3'), {
      at: { host: 'h', port: 7000 },
      username: 'u',
      password: 'p@w',
      db: 3,
      tls: {},
    });
    assert.deepEqual(at('redis://[::1]:7000')?.at, { host: '::1', port: 7000 });
    assert.deepEqual(at('sentinel://a,b:5,[::1]:6/main')?.at, {
      name: 'main',
      sentinels: [
        { host: 'a', port: 26_379 },
        { host: 'b', port: 5 },
        { host: '::1', port: 6 },
      ],
    });
    for (const bad of ['redis://u:secret@h/x', 'sentinel://a', 'sentinel://a:b:c/n']) {
      assert.throws(
        () => at(bad),
        (error: Error) =>
          error instanceof ConfigError &&
          /^ENC_LOG_REDIS is no Redis/.test(error.message) &&
          !error.message.includes('secret'),
      );
    }
  });
});
