import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Commit, enclaveIdOf, parseCommit, verifyCommit } from '../protocol/commit.ts';
import { parseJson } from '../protocol/json.ts';
import { serveCorpus } from './corpus-server.ts';
import { type CorpusHeader, CorpusSource, writeCorpus } from './corpus-source.ts';

const commitOf = (line: string): Commit => {
  const commit = parseCommit(parseJson(Buffer.from(line))?.value ?? null);
  assert.ok(commit, line);
  assert.equal(verifyCommit(commit), null);
  return commit;
};

test('a corpus holds a Manifest for each enclave and distinct, well signed commits for them in turn', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-corpus-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'corpus');
  const exp = Date.now() + 60_000;
  await writeCorpus(file, await CorpusSource.open(3), 7, exp);
  const [first = '', ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const header = JSON.parse(first) as CorpusHeader;
  assert.deepEqual([header.enclaves, header.commits, header.good_until], [3, 7, exp]);
  const commits = lines.map(commitOf);
  const [manifests, notes] = [commits.slice(0, 3), commits.slice(3)];
  for (const { type, from, content, enclave } of manifests) {
    assert.equal(type, 'Manifest');
    assert.equal(enclave, enclaveIdOf(from, content));
  }
  assert.deepEqual(
    notes.map(({ enclave }) => manifests.findIndex((manifest) => manifest.enclave === enclave)),
    [0, 1, 2, 0, 1, 2, 0],
  );
  assert.equal(new Set(notes.map(({ hash }) => hash)).size, 7);
  assert.ok(commits.every((commit) => commit.exp === exp));
});

test('two corpora have no enclave in common', async () => {
  const [a, b] = [await CorpusSource.open(2), await CorpusSource.open(2)];
  assert.equal(new Set([...a.enclaves, ...b.enclaves]).size, 4);
});

test('a server of commits signs new ones for each call, and refuses what it does not know', async (t) => {
  const source = await CorpusSource.open(2);
  const server = await serveCorpus(source, { host: '127.0.0.1', port: 0 }, 60_000);
  t.after(() => server.close());
  const get = (path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, { headers: { connection: 'close' } });
  const lines = async (path: string): Promise<string[]> => (await (await get(path)).text()).trimEnd().split('\n');
  const header = JSON.parse((await lines('/'))[0] ?? '') as CorpusHeader;
  assert.deepEqual([header.enclaves, header.commits, header.good_until], [2, null, null]);
  assert.deepEqual(
    (await lines('/manifests')).map((line) => commitOf(line).enclave),
    source.enclaves,
  );
  const before = Date.now();
  const commits = [...(await lines('/commits?count=3')), ...(await lines('/commits?count=2'))].map(commitOf);
  assert.equal(new Set(commits.map(({ hash }) => hash)).size, 5);
  assert.ok(commits.every(({ exp }) => exp >= before + 60_000 && exp <= Date.now() + 60_000));
  for (const path of ['/commits?count=0', '/commits?count=2001', '/commits?count=x', '/other'])
    assert.equal((await get(path)).status, 404);
});
