import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { ERRORS } from '../../protocol/errors.ts';
import {
  DEFAULT_LIMIT,
  EXP_WINDOW,
  MAX_ARRAY,
  MAX_BODY_BYTES,
  MAX_COMMIT_BYTES,
  MAX_LIMIT,
  MAX_STATE_KEYS,
} from '../../protocol/limits.ts';
import { manifest, owner, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';

const text = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');

describe('docs/api.md', () => {
  let node: TestNode;
  let values: Record<string, string>;
  before(async () => {
    node = await TestNode.start();
    const enclave = await TestEnclave.found(node, manifest({ bundle: { size: 2 } }));
    const commit = enclave.sign(owner, 'note', { text: 'hello' });
    values = {
      ENCLAVE: enclave.id,
      ME: owner.id,
      SESSION: enclave.session(owner),
      HASH: commit.hash,
      EXP: String(commit.exp),
      SIG: commit.sig,
      UNUSED: 'ab'.repeat(32),
    };
  });
  after(() => node[Symbol.asyncDispose]());

  const filled = (template: string): string =>
    template.replaceAll(/\$([A-Z]+)/g, (_all, name: string) => {
      const value = values[name];
      assert.ok(value, `$${name} has no value`);
      return value;
    });

  const examples = [...text.matchAll(/```http\n(GET|POST) (\S+)\n(.*?)```\n```json\n(.*?)```/gs)];
  assert.ok(examples.length >= 15);
  for (const [, method = '', path = '', body = '', shown = ''] of examples) {
    it(`example: ${method} ${path} ${body.slice(0, 40).trim()}`, async () => {
      const answer = await node.ask({ method, path: filled(path), ...(method === 'POST' && { body: filled(body) }) });
      assert.equal(answer.status, 200, answer.body);
      const [told, promised] = [JSON.parse(answer.body), JSON.parse(shown)] as [object, object];
      assert.equal(Array.isArray(told), Array.isArray(promised));
      if (!Array.isArray(told)) assert.deepEqual(Object.keys(told), Object.keys(promised));
      else assert.equal((told[0] as { type: string }).type, 'Receipt');
    });
  }

  it('has every error with its status and sentence, and no other', () => {
    const rows = [...text.matchAll(/^\| (\d{3}) \| `(\w+)`(?: \([^)]*\))? \| (.+) \|$/gm)].map(
      ([, status, code, message]) => ({ status: Number(status), code, message }),
    );
    assert.deepEqual(
      rows,
      ERRORS.map(({ status, code, message }) => ({ status, code, message })),
    );
  });

  it('tells the limits as they are', () => {
    const says = (part: string): void => assert.ok(text.includes(part), part);
    says(`| body | ${MAX_BODY_BYTES / 2 ** 20} MiB |`);
    says(`| one commit | ${MAX_COMMIT_BYTES / 2 ** 20} MiB |`);
    says(`| commits of an array | ${MAX_ARRAY.toLocaleString('en')} |`);
    says(`| ${EXP_WINDOW.toLocaleString('en')} ms |`);
    says(`1–${MAX_LIMIT.toLocaleString('en')} (default ${DEFAULT_LIMIT})`);
    says(`up to ${MAX_STATE_KEYS} keys`);
  });
});
