import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { openSecp256k1 } from '../shard/crypto/open.ts';
import { HonestNode } from '../test/forgery/honest-node.ts';
import { describe } from './failures.ts';
import { program } from './program.ts';

const secp = openSecp256k1();
const honest = new HonestNode(secp);
let server: Server;
let remote = '';
let home = '';
/** Breaks one answer in so many, as a node does that is killed and started again. */
let flaky = 0;
let requests = 0;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'enc-cli-'));
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    honest.now = Date.now();
    const answer = await honest.fetch(`http://node.test${request.url}`, { method: request.method ?? 'GET', body });
    if (flaky > 0 && ++requests % flaky === 0) return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  remote = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(home, { recursive: true });
});

interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly message: string;
}

async function enc(args: string[], input = ''): Promise<Ran> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  const streams = { out, err } as never;
  const config = { remote, key: 'default', adminToken: undefined, data: './data', noColor: false, home };
  const stdin = Readable.from([input]) as never;
  const root = program(
    { config, streams, stdin, secp: async () => secp, signal: new AbortController().signal },
    '1.2.3',
  );
  let exit = 0;
  let message = '';
  try {
    await root.parseAsync(['node', 'enc', ...args]);
  } catch (error) {
    ({ exit, message } = describe(error));
  }
  const text = (out.read() as Buffer | null)?.toString() ?? '';
  return { exit, out: text, message };
}

const lines = (ran: Ran): unknown[] =>
  ran.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

test('help names every command, and every command has help', async () => {
  const { exit, out } = await enc(['--help']);
  assert.equal(exit, 0);
  for (const name of [
    'key',
    'enclave',
    'commit',
    'query',
    'pull',
    'members',
    'verify',
    'snapshot',
    'restore',
    'test',
    'admin',
  ]) {
    assert.ok(out.includes(name), name);
    assert.match((await enc([name, '--help'])).out, /--help/);
  }
});

test('wrong use exits with 2 and says what to do', async () => {
  for (const args of [
    ['nonsense'],
    ['commit'],
    ['query', 'xyz'],
    ['enclave', 'create'],
    ['test', '--workflow', 'none'],
    ['pull', 'ab', '--after', 'x'],
  ]) {
    const { exit, message } = await enc(args);
    assert.equal(exit, 2, args.join(' '));
    assert.ok(message.length > 10);
  }
  assert.match((await enc(['enclave', 'create', '--template', 'personal', '--key', 'nobody'])).message, /enc key list/);
});

test('a node that is not there exits with 3', async () => {
  await enc(['key', 'new', 'somebody']);
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const { exit, message } = await enc(['enclave', 'info', 'ab'.repeat(32), '--remote', `http://127.0.0.1:${port}`]);
  assert.equal(exit, 3);
  assert.match(message, /can't be reached/);
});

test('keys are files that only their owner can read, and are never overwritten', async () => {
  const made = lines(await enc(['key', 'new', 'default', '--json']))[0] as { id: string };
  assert.match(made.id, /^[0-9a-f]{64}$/);
  const path = join(home, 'keys', 'default.key');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await enc(['key', 'new', 'default'])).exit, 2);
  const secret = (await enc(['key', 'show', '--secret'])).out.trim();
  assert.equal((await readFile(path, 'utf8')).trim(), secret);
  assert.equal((await enc(['key', 'import', 'copy'], secret)).exit, 0);
  assert.ok((await enc(['key', 'list'])).out.includes(`copy  ${made.id}`));
  assert.equal((await enc(['key', 'import', 'bad'], 'not a key')).exit, 2);
  assert.equal((await enc(['key', 'import', '../evil'], secret)).exit, 2);
});

test('a key file that others can read is not used', async () => {
  const path = join(home, 'open.hex');
  await writeFile(path, `${'33'.repeat(32)}\n`, { mode: 0o644 });
  const { exit, message } = await enc(['key', 'show', path]);
  assert.equal(exit, 2);
  assert.match(message, /chmod 600/);
});

test('from a key to a verified enclave', async () => {
  const { enclave } = lines(await enc(['enclave', 'create', '--template', 'personal', '--json']))[0] as {
    enclave: string;
  };
  const receipt = lines(
    await enc(['commit', enclave, 'note', '--content', '{"text":"hello"}', '--tag', 'topic=x', '--json']),
  )[0] as { seq: number };
  assert.equal(receipt.seq, 1);
  assert.equal(
    (await enc(['commit', enclave, 'note', '--content', '@-', '--alg', 'ecdsa'], '{"text":"from stdin"}')).exit,
    0,
  );
  assert.equal((await enc(['commit', enclave, 'note', '--content', '{"half":0.5}'])).exit, 2);
  assert.equal((await enc(['commit', enclave, 'unknown'])).exit, 1);
  const found = lines(await enc(['query', enclave, '--tag', 'topic=x', '--seq', '1..', '--json'])) as { seq: number }[];
  assert.deepEqual(
    found.map((event) => event.seq),
    [1],
  );
  assert.equal(lines(await enc(['pull', enclave, '--json', '--complete'])).length, 3);
  assert.match((await enc(['enclave', 'info', enclave])).out, /named by the Manifest/);
  assert.match((await enc(['admin', 'close-bundle', enclave])).out, /closed {2}1 bundles/);
  assert.match((await enc(['members', enclave])).out, /OWNER {2}proved/);
  assert.match((await enc(['verify', enclave])).out, /verified {2}3 events, 1 bundles, 0 events still open/);
  assert.match((await enc(['verify', enclave])).out, /consistent with the tree head of 1 bundles remembered/);
  assert.deepEqual(await readdir(join(home, 'heads')), [`${enclave}.json`]);
});

test('output for programs has no colours, and none go to a pipe', async () => {
  const { out } = await enc(['key', 'list']);
  assert.ok(!out.includes('\u001b'));
});

for (const [workflow, result] of [
  ['personal', '16/16 ok'],
  ['group', '14/14 ok'],
] as const) {
  test(`workflow ${workflow}: one line a step, and ${result}`, async () => {
    const { exit, out, message } = await enc(['test', '--workflow', workflow, '--remote', remote]);
    assert.equal(exit, 0, message + out);
    const all = out.trim().split('\n');
    assert.equal(all.at(-1), result);
    assert.equal(all.length, Number.parseInt(result, 10) + 1);
  });

  test(`workflow ${workflow} comes through when every fifth answer is lost`, async () => {
    flaky = 5;
    try {
      const { exit, out, message } = await enc(['test', '--workflow', workflow, '--remote', remote, '--json']);
      assert.equal(exit, 0, message + out);
    } finally {
      flaky = 0;
    }
  });
}
