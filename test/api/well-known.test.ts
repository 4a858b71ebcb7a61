import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { TestNode } from './node.ts';

const hasCurl = spawnSync('curl', ['--version']).status === 0;

it('the smoke of PROTOCOL §11 works by curl exactly as written there', {
  skip: hasCurl ? false : 'no curl on this machine',
}, async () => {
  await using node = await TestNode.start();
  const E = 'ee'.repeat(32);
  const body = JSON.stringify({ enclave_id: E, sequencer_priv: '33'.repeat(32) });
  const { stdout } = await promisify(execFile)('curl', [
    '-sS',
    '-X',
    'POST',
    `${node.url}/enclaves/${E}/init-with-priv`,
    '-d',
    body,
  ]);
  assert.equal(
    stdout,
    `{"ok":true,"enclave_id":"${E}","sequencer_pubkey":"3c72addb4fdf09af94f0c94d7fe92a386a7e70cf8a1d85916386bb2535c7b1b1"}`,
  );
});
