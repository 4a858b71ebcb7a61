import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { redisOptions } from './redis-options.ts';
import { RedisPlaceError, redisPlace, splitPlaces } from './redis-place.ts';

/** What ioredis takes, less what no address says. */
function options(url: string) {
  const { reconnectOnError: _, ...rest } = redisOptions(url);
  return rest;
}

test('an address names a server, who signs in, and the database', () => {
  assert.deepEqual(redisPlace('redis://h'), { at: { host: 'h', port: 6379 } });
  assert.deepEqual(redisPlace('redis://[::1]:7000'), { at: { host: '::1', port: 7000 } });
  assert.deepEqual(redisPlace('redis://:p%40w@h/3'), { at: { host: 'h', port: 6379 }, password: 'p@w', db: 3 });
  assert.deepEqual(redisPlace('rediss://u:a%3Ab@h:1'), {
    at: { host: 'h', port: 1 },
    username: 'u',
    password: 'a:b',
    tls: {},
  });
});

test('or the Sentinels that know it, with words of their own', () => {
  const sentinels = [
    { host: 'a', port: 26_379 },
    { host: 'b', port: 5 },
    { host: '::1', port: 6 },
  ];
  assert.deepEqual(redisPlace('sentinel://a,b:5,[::1]:6/main'), { at: { name: 'main', sentinels } });
  const whole = 'sentinels://u:p@a,b:5,[::1]:6/main/2?sentinel-user=s&sentinel-password=w%26x';
  assert.deepEqual(redisPlace(whole), {
    at: { name: 'main', sentinels, username: 's', password: 'w&x' },
    username: 'u',
    password: 'p',
    db: 2,
    tls: {},
  });
  assert.deepEqual(options(whole), {
    sentinels,
    name: 'main',
    sentinelUsername: 's',
    sentinelPassword: 'w&x',
    sentinelTLS: {},
    enableTLSForSentinelMode: true,
    username: 'u',
    password: 'p',
    db: 2,
    tls: {},
  });
});

test('the files for TLS are read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-place-'));
  try {
    for (const name of ['ca', 'cert', 'key']) writeFileSync(join(folder, name), `PEM of ${name}`);
    const query = ['ca', 'cert', 'key'].map((name) => `${name}=${join(folder, name)}`).join('&');
    const { tls } = redisPlace(`rediss://h?${query}`);
    assert.equal(String(tls?.ca), 'PEM of ca');
    assert.equal(String(tls?.key), 'PEM of key');
    assert.deepEqual(options(`rediss://h?ca=${join(folder, 'ca')}`), {
      host: 'h',
      port: 6379,
      tls: { ca: Buffer.from('PEM of ca') },
    });
    assert.throws(() => redisPlace(`rediss://u:secret@h?ca=${folder}/none`), /names .*none, which can not be read/);
    assert.throws(() => redisPlace(`rediss://h?cert=${folder}/cert`), /alone/);
    assert.throws(() => redisPlace(`redis://h?ca=${folder}/ca`), /rediss:/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what is no address is refused without being quoted', () => {
  const bad = [
    'redis://u:secret@h/x',
    'redis://u:secret@h,i',
    'redis://u:secret%ZZ@h',
    'redis://u:secret@h:99999',
    'redis://u:secret@h?sentinel-password=x',
    'redis://u:secret@h?timeout=3',
    'redis://u:secret@',
    'http://u:secret@h',
    'sentinel://u:secret@a',
    'sentinel://u:secret@a:b:c/n',
    'sentinel://u:secret@a/n/1/2',
    'sentinel://u:secret@a/n/x',
  ];
  for (const url of bad)
    assert.throws(
      () => redisPlace(url),
      (error: Error) => error instanceof RedisPlaceError && !/secret|u:/.test(error.message),
      url,
    );
});

test('several are split where the next one begins', () => {
  const all = ['redis://a', 'sentinel://b,c:1/n', 'sentinels://d,e/n', 'rediss://f'];
  assert.deepEqual(splitPlaces(all.join(',')), all);
});
