import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { TEMPLATES } from '../../cli/templates.ts';
import { EncClient } from '../../client/client.ts';
import { keyFromSecret } from '../../client/keys.ts';
import { redisPlace } from '../../cluster/redis/redis-place.ts';
import { RedisTopology } from '../../cluster/topology/redis-topology.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { openRedis, type RedisStore } from '../../shard/redis/redis-store.ts';
import { readCounted } from '../../shard/redis/script.ts';
import { Authority, type Certificate, missing as opensslMissing } from '../parts/certificates.ts';
import {
  missing,
  type RedisServer,
  type Replicated,
  SENTINEL_NAME,
  sentinelMissing,
  startRedis,
  startReplicated,
  startSentinels,
} from '../parts/redis.ts';
import { waitFor } from '../parts/wait-for.ts';
import { LinkPair } from './link-pair.ts';
import { TestCluster } from './test-cluster.ts';

const DEADLINE_MS = 20_000;
const OPEN_MS = 2000;
/** needs encoding in an address */
const PASSWORD = 'p@ss/word:1,2?';
const SENTINEL_PASSWORD = 'w&tch=er%';
const encoded = encodeURIComponent;

const read = ({ ca, cert, key }: Certificate): { ca: Buffer; cert: Buffer; key: Buffer } => ({
  ca: readFileSync(ca),
  cert: readFileSync(cert),
  key: readFileSync(key),
});
const files = ({ ca, cert, key }: Certificate): string => `ca=${encoded(ca)}&cert=${encoded(cert)}&key=${encoded(key)}`;

/** A store at that address that has carried out a counted write. */
async function opened(url: string): Promise<RedisStore> {
  const settings = { ...redisPlace(url), waitMs: 500, deadlineMs: 1500, connectMs: 1000 };
  const store = await openRedis({ settings, scripts: [readCounted], beatKey: 'beat', openMs: OPEN_MS });
  await store.counted(readCounted, [Buffer.from('a')], []);
  return store;
}

const refused = (url: string, why: RegExp): Promise<void> =>
  assert.rejects(opened(url), (error: Error) => {
    assert.match(error.message, why);
    assert.ok(!error.message.includes(PASSWORD) && !error.message.includes(SENTINEL_PASSWORD), error.message);
    return true;
  });

describe('links over TLS', { skip: opensslMissing }, () => {
  const ours = new Authority();
  const theirs = new Authority();
  after(() => {
    for (const authority of [ours, theirs]) authority[Symbol.dispose]();
  });
  const pair = (shard: Certificate, router: Certificate | null): Promise<LinkPair> =>
    LinkPair.open({ shard: { tls: read(shard) }, router: router ? { tls: read(router) } : {} });

  test('carry calls where each side has a certificate of the authority that the other trusts', async () => {
    await using link = await pair(ours.sign(), ours.sign());
    await link.up();
    const { flight } = link.send('body');
    (await link.arrived()).answer(0, Buffer.from('answer'));
    assert.deepEqual(await link.outcome(flight), [['answered', 0, 'answer']]);
  });

  test('a shard listens to no router of another authority, or without a certificate', async () => {
    const stranger = { ...theirs.sign(), ca: ours.ca };
    await using other = await pair(ours.sign(), stranger);
    assert.match(await other.refused(), /alert|socket|ECONNRESET|closed/i);
    await using none = await pair(ours.sign(), null);
    assert.match(await none.refused(), /socket|certificate|hang up|ECONNRESET/i);
    for (const { link, server } of [other, none]) {
      assert.equal(link.open, false);
      assert.equal(server.routers, 0);
    }
  });

  test('a router speaks to no shard of another authority, and to none whose certificate is for another host', async () => {
    await using other = await pair({ ...theirs.sign(), ca: ours.ca }, ours.sign());
    assert.match(await other.refused(), /unable to verify|self-signed|certificate/);
    await using elsewhere = await pair(ours.sign('DNS:elsewhere.test'), ours.sign());
    assert.match(await elsewhere.refused(), /does not match certificate/);
    for (const { server } of [other, elsewhere]) assert.equal(server.routers, 0);
  });
});

describe('Redis over TLS, with users', { skip: missing || opensslMissing }, () => {
  const ours = new Authority();
  const theirs = new Authority();
  let server: RedisServer;
  before(async () => {
    server = await startRedis({ tls: ours.sign() });
    // What docs/cluster.md says that a user of the node needs.
    const rights = ['+@all', '-@dangerous', '+info', '+config|get', '+bgrewriteaof'];
    await server.call('ACL', 'SETUSER', 'enc', 'on', `>${PASSWORD}`, '~*', '&*', ...rights);
    await server.call('ACL', 'SETUSER', 'blind', 'on', `>${PASSWORD}`, '~*', '&*', '+@all', '-config');
  });
  after(async () => {
    await server.remove();
    for (const authority of [ours, theirs]) authority[Symbol.dispose]();
  });
  const address = (user: string, password: string, query: string): string =>
    `rediss://${user}:${encoded(password)}@127.0.0.1:${server.port}?${query}`;

  test('a user with the rights that it needs, and a certificate', async () => {
    const store = await opened(address('enc', PASSWORD, files(ours.sign())));
    await store.close();
    const topology = new RedisTopology(address('enc', PASSWORD, files(ours.sign())), () => {});
    await topology.connected(DEADLINE_MS);
    assert.equal(await topology.publish(0, 3), true);
    await topology.close();
  });

  test('another authority, no certificate, no TLS, a wrong password and a user without rights are refused', async () => {
    const { cert, key } = ours.sign();
    await Promise.all([
      refused(address('enc', PASSWORD, files({ ca: theirs.ca, cert, key })), /certificate/),
      refused(
        address('enc', PASSWORD, files({ ...theirs.sign(), ca: ours.ca })),
        /alert|socket|ECONNRESET|Connection is closed/i,
      ),
      refused(address('enc', PASSWORD, `ca=${encoded(ours.ca)}`), /alert|socket|ECONNRESET|Connection is closed/i),
      refused(`redis://enc:${encoded(PASSWORD)}@127.0.0.1:${server.port}`, /closed|ECONNRESET|ended|did not answer/i),
      refused(address('enc', 'another', files(ours.sign())), /WRONGPASS/),
      refused(address('blind', PASSWORD, files(ours.sign())), /does not show its settings.*CONFIG GET/),
    ]);
  });
});

describe('Sentinel with passwords of its own', { skip: sentinelMissing || opensslMissing }, () => {
  const authority = new Authority();
  const tls = authority.sign();
  let log: Replicated;
  let guard: RedisServer;
  let sentinels: RedisServer[];
  before(async () => {
    [log, guard] = await Promise.all([
      startReplicated(1, { password: PASSWORD, tls }),
      startRedis({ password: PASSWORD, tls }),
    ]);
    sentinels = await startSentinels(log, { password: SENTINEL_PASSWORD, serverPassword: PASSWORD, tls });
  });
  after(async () => {
    await Promise.all([...sentinels.map((one) => one.remove()), log.remove(), guard.remove()]);
    authority[Symbol.dispose]();
  });
  const address = (password = PASSWORD, sentinel = SENTINEL_PASSWORD): string => {
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    const query = `sentinel-password=${encoded(sentinel)}&${files(tls)}`;
    return `sentinels://:${encoded(password)}@${hosts}/${SENTINEL_NAME}?${query}`;
  };

  test('a whole cluster over TLS runs on it, and goes on when Sentinel promotes the replica', async () => {
    const flags = ['--link-cert', tls.cert, '--link-key', tls.key, '--link-ca', tls.ca];
    const guardUrl = `rediss://:${encoded(PASSWORD)}@127.0.0.1:${guard.port}?${files(tls)}`;
    const redis = { log: address(), guard: guardUrl, topology: address() };
    await using cluster = await TestCluster.start({ shards: 2, redis, flags });
    const topology = new RedisTopology(address(), () => {});
    await topology.connected(DEADLINE_MS);
    assert.equal(await topology.publish(0, 2), true);

    const secp = openSecp256k1();
    const alice = keyFromSecret(new Uint8Array(32).fill(11), secp);
    const manifest = (TEMPLATES['personal'] as (owner: string) => Record<string, unknown>)(alice.id);
    const { enclave } = await new EncClient(cluster.url, { secp }).create(alice, manifest);
    await enclave.commit('note', { text: 'before' });
    await log.primary.kill();
    await waitFor('a commit after the fail-over', DEADLINE_MS, () =>
      enclave.commit('note', { text: 'after' }).then(
        () => true,
        () => false,
      ),
    );
    assert.ok((await enclave.verify()).events >= 3);
    await waitFor('the topology', DEADLINE_MS, () => topology.publish(1, 2).catch(() => false));
    await topology.close();
  });

  test('a wrong password of the Sentinels, or of the servers, is told apart', async () => {
    await Promise.all([
      refused(address(PASSWORD, 'another'), /No Sentinel names a primary.*WRONGPASS/),
      refused(address('another'), /^(?!No Sentinel).*WRONGPASS/),
    ]);
  });
});
