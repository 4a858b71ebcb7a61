import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { errorBody } from '../../protocol/errors.ts';
import { answered, manifest, member, owner, receipted, refused, stranger, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { founding, json, sign } from './people.ts';

let node: TestNode;
let enclave: TestEnclave;

before(async () => {
  node = await TestNode.start();
  enclave = await TestEnclave.found(node);
});
after(() => node[Symbol.asyncDispose]());

describe('POST / with one commit', () => {
  it('answers a canonical receipt with seqs that have no gap', async () => {
    const first = await enclave.commit(member, 'chat', { text: 'one' });
    const second = await enclave.commit(member, 'chat', { text: 'two' });
    assert.equal(second.seq, first.seq + 1);
    assert.ok(second.timestamp >= first.timestamp);
    assert.equal(first.sequencer, enclave.sequencer);
  });

  it('takes every spelling of the same JSON for the same commit', async () => {
    const commit = enclave.sign(member, 'chat', { b: 1, a: 'é😀\u2028' }, { tags: [['topic', 'x']] });
    const spelled = JSON.stringify(JSON.parse(json(commit)), null, 1).replace('é', '\\u00e9');
    const one = await node.post('/', spelled);
    const two = await node.post('/', json(commit));
    receipted(one, commit);
    assert.equal(one.body, two.body);
  });

  it('does not look at the content type', async () => {
    const commit = enclave.sign(member, 'chat', 'plain');
    for (const path of ['/', `/enclave/${enclave.id}`])
      for (const type of ['text/plain', 'multipart/form-data', 'application/json; charset=latin1', 'nonsense', ''])
        receipted(
          await node.ask({ method: 'POST', path, body: json(commit), headers: { 'content-type': type } }),
          commit,
        );
    receipted(await node.ask({ method: 'POST', path: '/', body: json(commit) }), commit);
  });

  it('takes ecdsa signatures', async () => {
    await enclave.commit(member, 'chat', 'ecdsa', { alg: 'ecdsa' });
    await enclave.commit(member, 'chat', 'schnorr', { alg: 'schnorr' });
  });

  it('answers a retry with the original receipt, byte for byte, even when the enclave is paused', async () => {
    const other = await TestEnclave.found(node);
    const commit = json(other.sign(owner, 'note', { n: 1 }));
    const first = await node.post('/', commit);
    await other.commit(owner, 'Pause', {});
    refused(await other.send(owner, 'note', { n: 2 }), 'enclave_paused');
    answered(await node.post('/', commit), first.body);
    await other.commit(owner, 'Terminate', {});
    refused(await other.send(owner, 'note', { n: 2 }), 'enclave_terminated');
    answered(await node.post('/', commit), first.body);
  });

  it('takes a concurrent burst of the same commit once', async () => {
    const commit = enclave.sign(member, 'chat', 'burst');
    const answers = await Promise.all(Array.from({ length: 20 }, () => node.post('/', json(commit))));
    assert.equal(new Set(answers.map((answer) => answer.body)).size, 1);
    receipted(answers[0]!, commit);
  });
});

describe('POST /enclave/:id with one commit', () => {
  it('is the same call, and the body may leave the enclave out', async () => {
    const commit = enclave.sign(member, 'chat', { by: 'path' });
    const { enclave: _left, ...rest } = JSON.parse(json(commit)) as Record<string, unknown>;
    const answer = await node.post(`/enclave/${enclave.id}`, rest);
    receipted(answer, commit);
    answered(await node.post(`/enclave/${enclave.id}`, json(commit)), answer.body);
    answered(await node.post('/', json(commit)), answer.body);
  });

  it('refuses a body that names another enclave', async () => {
    refused(await node.post(`/enclave/${'ab'.repeat(32)}`, json(enclave.sign(member, 'chat', 1))), 'invalid_commit');
  });

  it('refuses what is no enclave id in the path', async () => {
    for (const id of ['xyz', enclave.id.toUpperCase(), enclave.id.slice(1), `${enclave.id}0`]) {
      refused(await node.post(`/enclave/${id}`, json(enclave.sign(member, 'chat', 1))), 'invalid_route');
    }
  });
});

describe('POST / with an array', () => {
  it('answers [] with []', async () => answered(await node.post('/', '[]'), '[]'));

  it('answers each element alone, in order, with 200', async () => {
    const good = enclave.sign(member, 'chat', { n: 1 });
    const forbidden = enclave.sign(stranger, 'chat', { n: 2 });
    const forged = { ...enclave.sign(member, 'chat', { n: 3 }), sig: good.sig };
    const wrongHash = { ...enclave.sign(member, 'chat', { n: 4 }), hash: good.hash };
    const expired = enclave.sign(member, 'chat', { n: 5 }, { exp: 1 });
    const late = enclave.sign(member, 'chat', { n: 6 }, { exp: node.now() + 700_000 });
    const elsewhere = sign(member, 'cd'.repeat(32), 'chat', 1, { exp: enclave.exp() });
    const last = enclave.sign(member, 'chat', { n: 7 });
    const body = `[${json(good)},{},${json(forbidden)},${json(forged)},${json(wrongHash)},${json(expired)},${json(late)},${json(elsewhere)},null,${json(good)},${json(last)}]`;
    const answer = await node.post('/', body);
    assert.equal(answer.status, 200);
    const parts = splitArray(answer.body);
    const first = receipted(parts[0]!, good);
    assert.deepEqual(
      parts.slice(1, 9),
      (
        [
          'invalid_commit',
          'forbidden',
          'invalid_signature',
          'invalid_hash',
          'expired',
          'exp_too_far',
          'enclave_not_found',
          'invalid_commit',
        ] as const
      ).map((code) => errorBody(code)),
    );
    assert.equal(parts[9], parts[0], 'the same commit twice gets the same receipt twice');
    assert.equal(receipted(parts[10]!, last).seq, first.seq + 1);
  });

  it('takes a Manifest and commits of the new enclave in one array', async () => {
    const founded = founding(owner, manifest(), { exp: enclave.exp() });
    const commits = [
      founded,
      ...[1, 2, 3].map((n) => sign(owner, founded.enclave, 'note', { n }, { exp: enclave.exp() })),
      sign(stranger, founded.enclave, 'note', 1, { exp: enclave.exp() }),
    ];
    const parts = splitArray((await node.post('/', `[${commits.map(json).join(',')}]`)).body);
    for (let i = 0; i < 4; i++) assert.equal(receipted(parts[i]!, commits[i]!).seq, i);
    assert.equal(parts[4], errorBody('forbidden'));
  });

  it('takes 1,000 commits and refuses 1,001 as a whole', async () => {
    const commits = Array.from({ length: 1000 }, (_, n) => json(enclave.sign(member, 'chat', { many: n })));
    const trace = await enclave.trace();
    refused(await node.post('/', `[${[...commits, commits[0]].join(',')}]`), 'too_large');
    assert.equal(await enclave.trace(), trace);
    const parts = splitArray((await node.post('/', `[${commits.join(',')}]`)).body);
    const seqs = parts.map((part) => (JSON.parse(part) as { seq: number }).seq);
    assert.deepEqual(
      seqs,
      Array.from({ length: 1000 }, (_, n) => seqs[0]! + n),
    );
  });

  it('refuses an element over 1 MiB alone', async () => {
    const big = enclave.sign(member, 'chat', 'x'.repeat(2 ** 20));
    const small = enclave.sign(member, 'chat', 'small');
    const parts = splitArray((await node.post('/', `[${json(big)},${json(small)}]`)).body);
    assert.equal(parts[0], errorBody('too_large'));
    receipted(parts[1]!, small);
    refused(await node.post('/', json(big)), 'too_large');
  });

  it('refuses the whole array when it is no valid JSON, and nested arrays element by element', async () => {
    const good = json(enclave.sign(member, 'chat', 'good'));
    const trace = await enclave.trace();
    refused(await node.post('/', `[${good},{"a":1,"a":2}]`), 'invalid_json');
    refused(await node.post('/', `[${good},`), 'invalid_json');
    assert.equal(await enclave.trace(), trace);
    answered(await node.post('/', '[[],[[]]]'), `[${errorBody('invalid_commit')},${errorBody('invalid_commit')}]`);
  });
});

describe('Manifest', () => {
  it('founds an enclave once: the same commit again is a retry, another Manifest is enclave_exists', async () => {
    const content = manifest();
    const commit = founding(owner, content, { exp: enclave.exp() });
    const first = await node.post('/', json(commit));
    receipted(first, commit);
    answered(await node.post('/', json(commit)), first.body);
    refused(await node.post('/', json(founding(owner, content, { exp: enclave.exp() + 1 }))), 'enclave_exists');
  });

  it('gets the sequencer that Sequencer tells, and may name it', async () => {
    const content = manifest();
    const asked = await node.post('/', { type: 'Sequencer', from: owner.id, content });
    const { sequencer } = JSON.parse(asked.body) as { sequencer: string };
    answered(asked, `{"type":"Sequencer","sequencer":"${sequencer}"}`);
    const named = await TestEnclave.found(node, { ...content, sequencer });
    assert.equal(named.sequencer, sequencer);
    const wrong = founding(owner, { ...manifest(), sequencer }, { exp: enclave.exp() });
    refused(await node.post('/', json(wrong)), 'invalid_manifest', '"path":"/sequencer"');
  });

  it('refused leaves no enclave behind', async () => {
    const broken = founding(owner, { ...manifest(), extra: 1 }, { exp: enclave.exp() });
    refused(await node.post('/', json(broken)), 'invalid_manifest', '"path":"/extra"');
    refused(await node.post('/', { type: 'Info', enclave: broken.enclave }), 'enclave_not_found');
    const foreign = { ...founding(owner, manifest(), { exp: enclave.exp() }) };
    const moved = sign(owner, 'ab'.repeat(32), 'Manifest', JSON.parse(JSON.stringify(manifest())), {
      exp: enclave.exp(),
    });
    refused(await node.post('/', json(moved)), 'invalid_manifest', '"path":"/enclave"');
    assert.notEqual(foreign.enclave, moved.enclave);
  });
});

/** The elements of a JSON array of flat objects, as their bytes. */
function splitArray(body: string): string[] {
  assert.ok(body.startsWith('[{') && body.endsWith('}]'), body.slice(0, 200));
  return body.slice(1, -1).split(/(?<=\}),(?=\{)/);
}
