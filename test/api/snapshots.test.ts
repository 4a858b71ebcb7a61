import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { decodeFirst, encode } from 'cborg';
import { answered, manifest, member, owner, refused, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { json } from './people.ts';

let home: TestNode;
let away: TestNode;
let enclave: TestEnclave;
let file: Buffer;
const secret = 'the content that was deleted';

before(async () => {
  [home, away] = await Promise.all([TestNode.start(), TestNode.start()]);
  const content = manifest();
  const { sequencer } = JSON.parse((await home.post('/', { type: 'Sequencer', from: owner.id, content })).body) as {
    sequencer: string;
  };
  enclave = await TestEnclave.found(home, { ...content, sequencer });
  for (let n = 0; n < 10; n++) await enclave.commit(n % 2 ? owner : member, n % 2 ? 'note' : 'chat', { n });
  const gone = await enclave.commit(owner, 'note', secret);
  await enclave.commit(owner, 'Update', { target: gone.id, content: `${secret}, updated` });
  await enclave.commit(owner, 'Delete', { target: gone.id });
  await enclave.commit(owner, 'Shared', { key: 'topic', value: 1 });
  file = (await home.get(`/enclaves/${enclave.id}/snapshot`)).bytes;
});
after(async () => {
  await home[Symbol.asyncDispose]();
  await away[Symbol.asyncDispose]();
});

const restore = (node: TestNode, id: string, body: Uint8Array, headers: Record<string, string> = {}) =>
  node.post(`/enclaves/${id}/restore`, body, headers);
const ok = (id: string, head: number, bundles: number): string =>
  `{"ok":true,"enclave":"${id}","head":${head},"bundles":${bundles}}`;

describe('snapshot', () => {
  it('is the same by both paths, and a CBOR sequence', async () => {
    const [one, two] = [await home.get(`/enclaves/${enclave.id}/snapshot`), await home.get(`/${enclave.id}/snapshot`)];
    assert.equal(one.status, 200);
    assert.equal(one.headers['content-type'], 'application/cbor-seq');
    // `created` differs
    assert.equal(one.bytes.length, two.bytes.length);
    assert.ok(one.bytes.includes('enc-snapshot'));
  });

  it('holds nothing that was deleted', () => {
    assert.ok(!file.includes('deleted'), 'content');
    assert.ok(file.includes('content_hash'));
  });

  it('of an unknown enclave is not found', async () => {
    refused(await home.get(`/enclaves/${'ab'.repeat(32)}/snapshot`), 'enclave_not_found');
    refused(await home.get('/enclaves/zz/snapshot'), 'invalid_route');
  });
});

describe('restore', () => {
  it('brings everything back, readable and provable, and read-only without the key', async () => {
    answered(await restore(away, enclave.id, file), ok(enclave.id, 14, 3));
    const there = new TestEnclave(away, enclave.manifest, enclave.sequencer);
    assert.equal((await there.pull(owner)).body, (await enclave.pull(owner)).body);
    assert.equal((await away.get(`/${enclave.id}/sth`)).body, (await home.get(`/${enclave.id}/sth`)).body);
    assert.equal(
      (await there.call('/bundle', owner, { seq: 3 })).body,
      (await enclave.call('/bundle', owner, { seq: 3 })).body,
    );
    refused(await there.send(owner, 'note', 'no'), 'enclave_read_only');
    refused(await restore(away, enclave.id, file), 'enclave_exists');
  });

  it('answers a retry of an old commit there with the original receipt', async () => {
    const commit = enclave.sign(owner, 'note', 'moved');
    const receipt = await home.post('/', json(commit));
    await using third = await TestNode.start();
    const fresh = (await home.get(`/enclaves/${enclave.id}/snapshot`)).bytes;
    assert.equal((await restore(third, enclave.id, fresh)).status, 200);
    answered(await third.post('/', json(commit)), receipt.body);
    answered(await third.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`), receipt.body);
  });

  it('believes no sequencer but the one that is expected, named or held', async () => {
    const unnamed = await TestEnclave.found(home);
    await unnamed.commit(owner, 'note', 1);
    const body = (await home.get(`/enclaves/${unnamed.id}/snapshot`)).bytes;
    refused(await restore(away, unnamed.id, body), 'invalid_snapshot', '"seq":0');
    refused(
      await restore(away, unnamed.id, body, { 'x-enc-sequencer': 'ab'.repeat(32) }),
      'invalid_snapshot',
      '"seq":0',
    );
    refused(await away.post('/', { type: 'Info', enclave: unnamed.id }), 'enclave_not_found');
    answered(await restore(away, unnamed.id, body, { 'x-enc-sequencer': unnamed.sequencer }), ok(unnamed.id, 1, 0));
  });

  it('refuses a file of another enclave', async () => {
    refused(await restore(away, 'ab'.repeat(32), file), 'invalid_snapshot', '"seq":0');
    refused(await away.post('/', { type: 'Info', enclave: 'ab'.repeat(32) }), 'enclave_not_found');
  });

  it('refuses whatever was changed, cut or added, and hosts nothing of it', async () => {
    await using third = await TestNode.start();
    const flip = (at: number): Buffer => {
      const copy = Buffer.from(file);
      copy[at] = (copy[at] as number) ^ 1;
      return copy;
    };
    const places = Array.from({ length: 12 }, (_, i) => Math.floor((file.length * (i + 0.5)) / 12));
    const broken = [
      Buffer.alloc(0),
      Buffer.from('{}'),
      file.subarray(0, 100),
      file.subarray(0, -1),
      Buffer.concat([file, Buffer.of(0)]),
      Buffer.concat([file, file]),
      ...places.map(flip),
    ];
    for (const body of broken) {
      const answer = await restore(third, enclave.id, body);
      const { error, seq } = JSON.parse(answer.body) as { error: string; seq: number };
      assert.equal(error, 'invalid_snapshot');
      refused(answer, 'invalid_snapshot', `"seq":${seq}`);
      assert.ok(seq >= 0 && seq <= 15);
    }
    refused(await third.post('/', { type: 'Info', enclave: enclave.id }), 'enclave_not_found');
    assert.equal((await restore(third, enclave.id, file)).status, 200, 'the intact file still comes in');
  });

  it('refuses a whole file whose closing has another time, or whose header promises more than it holds', async () => {
    await using third = await TestNode.start();
    const items: unknown[] = [];
    for (let rest: Uint8Array = file; rest.length > 0; ) {
      const [value, left] = decodeFirst(rest, { useMaps: true });
      items.push(value);
      rest = left;
    }
    const rewritten = (change: (list: unknown[]) => void): Buffer => {
      const list = structuredClone(items);
      change(list);
      const parts = list.slice(0, -1).map((item) => Buffer.from(encode(item)));
      const end = [
        ...(list.at(-1) as unknown[]).slice(0, 2),
        createHash('sha256').update(Buffer.concat(parts)).digest(),
      ];
      return Buffer.concat([...parts, encode(end)]);
    };
    const late = rewritten((list) => {
      const closing = list.findLast((item) => Array.isArray(item) && item[0] === 1) as number[];
      closing[4] = (closing[4] as number) + 1;
    });
    const short = rewritten((list) => list.splice(-2, 1));
    for (const body of [late, short]) assert.equal((await restore(third, enclave.id, body)).status, 400);
    assert.equal(
      (
        await restore(
          third,
          enclave.id,
          rewritten(() => {}),
        )
      ).status,
      200,
      'the same file, taken apart and put together',
    );
  });

  it('refuses a path that is no id', async () => refused(await restore(away, 'zz', file), 'invalid_route'));
});

describe('recover', () => {
  it('changes nothing of an enclave that opens, and knows only those that are here', async () => {
    const recover = (id: string, body: Uint8Array) => home.post(`/enclaves/${id}/recover`, body);
    const whole = await recover(enclave.id, file);
    assert.deepEqual([whole.status, JSON.parse(whole.body).changed], [200, false]);
    refused(await recover('ab'.repeat(32), file), 'enclave_not_found');
  });

  it('brings back an enclave whose log has lost released events, and nothing less than all of them', async () => {
    const data = mkdtempSync(join(tmpdir(), 'enc-api-'));
    const backup = `${data}-log`;
    try {
      await using first = await TestNode.start({ data });
      const lost = await TestEnclave.found(first);
      const untouched = await TestEnclave.found(first);
      for (let n = 0; n < 5; n++) await lost.commit(owner, 'note', { n });
      const early = (await first.get(`/enclaves/${lost.id}/snapshot`)).bytes;
      await first.halt();
      cpSync(join(data, 'log'), backup, { recursive: true });
      await using second = await TestNode.start({ data });
      const again = new TestEnclave(second, lost.manifest, lost.sequencer);
      for (let n = 0; n < 5; n++) await again.commit(owner, 'note', { more: n });
      const late = (await second.get(`/enclaves/${lost.id}/snapshot`)).bytes;
      const events = (await again.pull(owner)).body;
      await second.halt();
      rmSync(join(data, 'log'), { recursive: true });
      cpSync(backup, join(data, 'log'), { recursive: true });
      await using third = await TestNode.start({ data });
      const regressed = new TestEnclave(third, lost.manifest, lost.sequencer);
      const other = new TestEnclave(third, untouched.manifest, untouched.sequencer);
      await other.commit(owner, 'note', 'goes on');
      refused(await regressed.send(owner, 'note', 'no'), 'enclave_regressed');
      refused(await regressed.pull(owner), 'enclave_regressed');
      refused(await third.post('/', { type: 'Info', enclave: lost.id }), 'enclave_regressed');
      refused(await third.get(`/${lost.id}/sth`), 'enclave_regressed');
      refused(await third.get(`/enclaves/${lost.id}/snapshot`), 'enclave_regressed');
      refused(await third.post(`/enclaves/${lost.id}/recover`, early), 'enclave_regressed');
      assert.equal((await third.post(`/enclaves/${lost.id}/recover`, late)).status, 200);
      assert.equal((await regressed.pull(owner)).body, events);
      await regressed.commit(owner, 'note', 'and on');
      await third.halt();
    } finally {
      rmSync(data, { recursive: true, force: true });
      rmSync(backup, { recursive: true, force: true });
    }
  });
});
