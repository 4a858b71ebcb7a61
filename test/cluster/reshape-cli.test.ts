import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { program } from '../../cli/program.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { manifest, owner, receipted } from '../api/enclave.ts';
import { exchange } from '../api/http.ts';
import { founding, json } from '../api/people.ts';
import { waitFor } from '../parts/wait-for.ts';
import { TestCluster } from './test-cluster.ts';

const secp = openSecp256k1();

/** `enc admin topology …`: what it prints, parsed. Rejects as the command fails. */
async function topology(remote: string, ...args: string[]): Promise<{ shards: number; version: number }> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const config = { remote, key: 'default', adminToken: undefined, data: './data', noColor: true, home: '/nowhere' };
  const root = program(
    {
      config,
      streams: { out, err } as never,
      stdin: Readable.from([]) as never,
      secp: async () => secp,
      signal: new AbortController().signal,
    },
    '0.0.0-test',
  );
  await root.parseAsync(['admin', 'topology', ...args, '--json'], { from: 'user' });
  return JSON.parse(String(out.read()));
}

describe('enc admin topology grow and shrink', () => {
  test('grow waits until the new shards are alive, and does nothing the second time', async () => {
    await using cluster = await TestCluster.start({ shards: 1 });
    await assert.rejects(
      topology(cluster.url, 'grow', '--shards', '3', '--timeout', '0'),
      /Not within 0 s: no heartbeat of shard 1, 2\./,
    );
    assert.equal((await topology(cluster.url, 'show')).shards, 1);
    const growing = topology(cluster.url, 'grow', '--shards', '3');
    await cluster.startShard(1);
    await cluster.startShard(2);
    const grown = await growing;
    assert.equal(grown.shards, 3);
    assert.deepEqual((await topology(cluster.url, 'grow', '--shards', '3')).version, grown.version);
    // A smaller number is for shrink: after a rollback both are called.
    assert.equal((await topology(cluster.url, 'grow', '--shards', '1')).version, grown.version);
  });

  test('shrink ends when shards that leave have nothing open, and does nothing the second time', async () => {
    await using cluster = await TestCluster.start({ shards: 2 });
    const { url } = cluster;
    for (let i = 0; i < 8; i++) {
      const commit = founding(owner, manifest(), { exp: Date.now() + 60_000 });
      receipted(await exchange(url, { method: 'POST', path: '/', body: json(commit) }), commit);
    }
    const open = async (): Promise<number> => {
      const { members } = (await topology(url, 'show')) as unknown as { members: { shard: number; active?: number }[] };
      return members.find(({ shard }) => shard === 1)?.active ?? 0;
    };
    await waitFor('an enclave on shard 1', 5000, async () => (await open()) > 0);
    assert.equal((await topology(url, 'shrink', '--shards', '4')).shards, 2);
    const shrunk = await topology(url, 'shrink', '--shards', '1');
    assert.equal(shrunk.shards, 1);
    assert.equal(await open(), 0);
    await cluster.stopShard(1);
    assert.equal((await topology(url, 'shrink', '--shards', '1')).version, shrunk.version);
  });

  test('a router that can not be reached is asked again until the time is over', async () => {
    await assert.rejects(topology('http://127.0.0.1:1', 'grow', '--shards', '2', '--timeout', '0'), /Not within 0 s/);
  });
});
