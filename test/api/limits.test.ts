import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { manifest, member, owner, receipted, refused, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { founding, json, type Person, person } from './people.ts';

/** Makes the caller no operator: nobody in development comes through a proxy. */
const PROXIED = { 'x-forwarded-for': '10.0.0.1' };

const found = (node: TestNode, who: Person, headers: Record<string, string> = PROXIED) => {
  const commit = founding(who, manifest(), { exp: node.now() + 60_000 });
  return { commit, answer: node.post('/', json(commit), headers) };
};

describe('who may create enclaves', () => {
  it('ENC_CREATE=admin: the operator alone; a refused Manifest leaves nothing', async () => {
    await using node = await TestNode.start({ flags: ['--create', 'admin'] });
    const { commit, answer } = found(node, owner);
    refused(await answer, 'forbidden');
    refused(await node.post('/', { type: 'Info', enclave: commit.enclave }), 'enclave_not_found');
    receipted(await node.post('/', json(commit), { authorization: `Bearer ${node.madeUpToken}` }), commit);
  });

  it('a list: those on it, and the operator', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'enc-list-'));
    writeFileSync(join(folder, 'creators'), `${owner.id}\n`);
    try {
      await using node = await TestNode.start({ flags: ['--create', join(folder, 'creators')] });
      const allowed = found(node, owner);
      receipted(await allowed.answer, allowed.commit);
      refused(await found(node, member).answer, 'forbidden');
      const operated = found(node, member, { authorization: `Bearer ${node.madeUpToken}` });
      receipted(await operated.answer, operated.commit);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('so many per creator', async () => {
    await using node = await TestNode.start({ flags: ['--max-enclaves-per-creator', '2'] });
    for (let n = 0; n < 2; n++) {
      const { commit, answer } = found(node, owner);
      receipted(await answer, commit);
    }
    const third = found(node, owner);
    const answer = await third.answer;
    refused(answer, 'rate_limited');
    assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    const other = found(node, person('another creator'));
    receipted(await other.answer, other.commit);
  });
});

describe('how much an enclave may hold', () => {
  it('bytes: then only what makes it smaller or ends it passes', async () => {
    await using node = await TestNode.start({ flags: ['--max-bytes-per-enclave', '20000'] });
    const enclave = await TestEnclave.found(node);
    const first = await enclave.commit(owner, 'note', 'x'.repeat(100));
    let sent = 0;
    for (; sent < 40; sent++) {
      const answer = await enclave.send(owner, 'note', 'x'.repeat(1000));
      if (answer.status === 200) continue;
      refused(answer, 'too_large');
      break;
    }
    assert.ok(sent > 5 && sent < 40, `${sent} went in`);
    refused(await enclave.send(owner, 'Update', { target: first.id, content: 1 }), 'too_large');
    await enclave.commit(owner, 'Delete', { target: first.id });
    await enclave.commit(owner, 'Pause', {});
    await enclave.commit(owner, 'Terminate', {});
  });

  it('leaves of the state tree', async () => {
    await using node = await TestNode.start({ flags: ['--max-leaves-per-enclave', '5'] });
    const enclave = await TestEnclave.found(node);
    await enclave.commit(owner, 'Shared', { key: 'topic', value: 1 });
    await enclave.commit(member, 'Own', { key: 'profile/1', value: 1 });
    refused(await enclave.send(member, 'Own', { key: 'profile/2', value: 1 }), 'too_large');
    await enclave.commit(owner, 'Terminate', {});
  });
});

describe('how fast', () => {
  it('commits per second of one enclave', async () => {
    await using node = await TestNode.start({ flags: ['--commits-per-second-per-enclave', '3'] });
    const enclave = await TestEnclave.found(node);
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => enclave.send(owner, 'note', { n })));
    const limited = answers.filter(({ status }) => status === 429);
    assert.ok(limited.length > 4 && limited.length < 12, `${limited.length} limited`);
    for (const answer of limited) {
      refused(answer, 'rate_limited');
      assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    }
    await TestEnclave.found(node); // another enclave is not held up
  });

  it('commits per second of one address: an array counts whole, reads do not count', async () => {
    await using node = await TestNode.start({ flags: ['--commits-per-second-per-address', '1'] });
    const enclave = await TestEnclave.found(node);
    const commits = Array.from({ length: 999 }, (_, n) => json(enclave.sign(owner, 'note', { n })));
    assert.equal((await node.post('/', `[${commits.join(',')}]`)).status, 200);
    const trace = await enclave.trace();
    refused(
      await node.post(
        '/',
        `[${Array.from({ length: 500 }, (_, n) => json(enclave.sign(owner, 'note', { more: n }))).join(',')}]`,
      ),
      'rate_limited',
    );
    assert.equal(await enclave.trace(), trace);
  });
});

describe('how much may be under way', () => {
  it('beyond it the node is overloaded, says when to come back, and goes on', async () => {
    await using node = await TestNode.start({
      flags: ['--max-pending-bytes', '1MiB', '--max-body', '1MiB', '--max-commit', '614400'],
    });
    const enclave = await TestEnclave.found(node);
    const body = (n: number): string => json(enclave.sign(owner, 'note', { n, text: 'x'.repeat(500 * 1024) }));
    const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => node.post('/', body(n))));
    const codes = answers.map(({ status }) => status);
    assert.ok(codes.includes(200) && codes.includes(503), codes.join());
    for (const answer of answers.filter(({ status }) => status === 503)) {
      refused(answer, 'overloaded');
      assert.match(answer.headers['retry-after'] ?? '', /^\d+$/);
    }
    await enclave.commit(owner, 'note', 'later');
    assert.equal((await node.post('/', body(99))).status, 200, 'nothing is left pending');
  });

  it('a queue of one enclave is bounded too', async () => {
    await using node = await TestNode.start();
    const enclave = await TestEnclave.found(node);
    const arrays = Array.from(
      { length: 8 },
      (_, a) => `[${Array.from({ length: 1000 }, (_, n) => json(enclave.sign(owner, 'note', { a, n }))).join(',')}]`,
    );
    const answers = await Promise.all(arrays.map((array) => node.post('/', array)));
    const parts = answers.flatMap(({ body }) => JSON.parse(body) as { type: string; error?: string }[]);
    assert.equal(parts.length, 8000);
    for (const part of parts) assert.ok(part.type === 'Receipt' || part.error === 'overloaded', JSON.stringify(part));
    const taken = parts.filter(({ type }) => type === 'Receipt').length;
    assert.equal((await enclave.info())['head'], taken);
  });
});
