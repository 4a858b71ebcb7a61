import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('enc-node', import.meta.url));

/** Runs the entrypoint as a container would: with the Node that runs this test, and the environment given alone. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
  const { status, stdout, stderr } = spawnSync(ENTRY, args, {
    encoding: 'utf8',
    env: { PATH, ...env },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

const ROLES = [
  { role: 'node', says: /--port <PORT>/ },
  { role: 'shard', says: /--link-port <PORT>/ },
  { role: 'router', says: /--topology-url <URL>/ },
  { role: 'enc', says: /enclave/ },
];

for (const { role, says } of ROLES) {
  test(`${role} runs, and the arguments behind it are its own`, () => {
    const { status, stdout } = run([role, '--help']);
    assert.equal(status, 0);
    assert.match(stdout, says);
  });
}

test('a role passes on the exit code of what it runs', () => {
  const { status, stderr } = run(['router', '--prot', '1']);
  assert.equal(status, 2);
  assert.match(stderr, /unknown option '--prot'/);
});

test('an argument with blanks stays one argument', () => {
  const { status, stderr } = run(['node', '--name', 'a  b;c']);
  assert.equal(status, 2);
  assert.match(stderr, /"a {2}b;c"/);
});

const REFUSED = [
  { what: 'no role', args: [], env: {}, says: /usage: enc-node ROLE/ },
  { what: 'a role that does not exist', args: ['shrad'], env: {}, says: /"shrad" is no role\nusage/ },
  { what: 'a shard without a number', args: ['shard'], env: {}, says: /set ENC_SHARD/ },
  { what: 'a shard whose number is empty', args: ['shard'], env: { ENC_SHARD: '' }, says: /set ENC_SHARD/ },
  {
    what: 'a single node with the number of a shard',
    args: ['node'],
    env: { ENC_SHARD: '1' },
    says: /ENC_SHARD is set/,
  },
  { what: 'a single node with the flag of a shard', args: ['node', '--shard', '1'], env: {}, says: /role "shard"/ },
];

for (const { what, args, env, says } of REFUSED) {
  test(`${what} is refused with a sentence`, () => {
    const { status, stdout, stderr } = run(args, env);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, says);
  });
}
