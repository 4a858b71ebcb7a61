import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeFirst, encode } from 'cborg';
import { member, owner, TestEnclave } from '../api/enclave.ts';
import { exchange, type RawAnswer } from '../api/http.ts';
import { TestNode } from '../api/node.ts';
import { mutateBytes } from '../parity/hostile.ts';
import { Random } from '../parity/random.ts';
import { ChildNode } from './child.ts';
import { Answers, Crash, type FuzzTarget, type Runner } from './target.ts';

/** A good snapshot with something of everything, and what a node that restored it must answer. */
async function original(): Promise<{ id: string; sequencer: string; file: Buffer; tip: string }> {
  await using node = await TestNode.start();
  const enclave = await TestEnclave.found(node);
  for (let n = 0; n < 8; n++)
    await enclave.commit(
      n % 2 ? owner : member,
      n % 2 ? 'note' : 'chat',
      { n },
      n % 3 ? {} : { tags: [['t', 'x']], alg: 'ecdsa' },
    );
  const gone = await enclave.commit(owner, 'note', 'gone');
  await enclave.commit(owner, 'Update', { target: gone.id, content: 'gone' });
  await enclave.commit(owner, 'Delete', { target: gone.id });
  await enclave.commit(owner, 'Shared', { key: 'topic', value: 1 });
  const { bytes } = await node.get(`/enclaves/${enclave.id}/snapshot`);
  const { body } = await node.get(`/${enclave.id}/sth`);
  return {
    id: enclave.id,
    sequencer: enclave.sequencer,
    file: bytes,
    tip: body + (await enclave.info())['head'],
  };
}

const OPTIONS = { useMaps: true, strict: true } as const;

function items(file: Buffer): unknown[] {
  const out: unknown[] = [];
  for (let rest: Uint8Array = file; rest.length > 0; ) {
    const [value, left] = decodeFirst(rest, OPTIONS);
    out.push(value);
    rest = left;
  }
  return out;
}

/** The file with one thing changed somewhere in its structure, most often under a right sum. */
function restructured(file: Buffer, random: Random): Buffer {
  const list = items(file);
  const at = random.int(list.length);
  const other = random.int(list.length);
  switch (random.weighted({ edit: 8, drop: 1, double: 1, swap: 1 })) {
    case 'drop':
      list.splice(at, 1);
      break;
    case 'double':
      list.splice(at, 0, list[at]);
      break;
    case 'swap':
      [list[at], list[other]] = [list[other], list[at]];
      break;
    default:
      list[at] = edited(list[at], random);
  }
  const parts = list.map((item) => Buffer.from(encode(item)));
  const last = list.at(-1);
  if (random.chance(0.9) && Array.isArray(last) && last[0] === 2) {
    const sum = createHash('sha256')
      .update(Buffer.concat(parts.slice(0, -1)))
      .digest();
    parts[parts.length - 1] = Buffer.from(encode([...last.slice(0, 2), sum]));
  }
  return Buffer.concat(parts);
}

function edited(value: unknown, random: Random): unknown {
  if (random.chance(0.1))
    return random.pick<unknown>([null, 0, -1, 2 ** 53 - 1, '', [], new Map(), new Uint8Array(32), true]);
  if (Array.isArray(value) && value.length > 0) {
    const at = random.int(value.length);
    return random.chance(0.1)
      ? [...value, value[at]]
      : value.map((item, i) => (i === at ? edited(item, random) : item));
  }
  if (value instanceof Map && value.size > 0) {
    const key = random.pick([...value.keys()]);
    const copy = new Map(value);
    if (random.chance(0.15)) copy.delete(key);
    else copy.set(key, edited(value.get(key), random));
    return copy;
  }
  if (value instanceof Uint8Array) return mutateBytes(value, random);
  if (typeof value === 'number') return value + random.pick([1, -1, 1000, 2 ** 40]);
  if (typeof value === 'string')
    return Buffer.from(mutateBytes(new Uint8Array(Buffer.from(value)), random)).toString('utf8');
  return 0;
}

/** A node of its own process with nothing on it. */
async function fresh(data: string): Promise<ChildNode> {
  rmSync(data, { recursive: true, force: true });
  const started = await ChildNode.start(data);
  if (started.kind !== 'serves') throw new Error(`the node did not start: ${started.said}`);
  return started.node;
}

/** Mutated `.enc` files into a node's restore: refused, naming a seq, or exactly the enclave that was saved. */
export const snapshot: FuzzTarget = {
  help: 'mutated .enc files into the restore of a node: refused, or restored to exactly the original',
  stride: 1,
  async open(seed: number): Promise<Runner> {
    const answers = new Answers();
    const { id, sequencer, file, tip } = await original();
    const data = mkdtempSync(join(tmpdir(), 'enc-fuzz-'));
    let node = await fresh(data);
    const ask = (path: string, body?: Uint8Array | string) =>
      exchange(node.url, {
        path,
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'x-enc-sequencer': sequencer },
        ...(body === undefined ? {} : { body }),
      });
    const head = async (): Promise<RawAnswer> => ask('/', JSON.stringify({ type: 'Info', enclave: id }));
    const check = async (body: Buffer): Promise<void> => {
      const answer = await ask(`/enclaves/${id}/restore`, body);
      if (answer.status === 200) {
        const told = (await ask(`/${id}/sth`)).body + (JSON.parse((await head()).body) as { head: number }).head;
        await node.stop();
        node = await fresh(data);
        if (told !== tip) throw new Error(`a changed file was restored to ${told}`);
        return answers.note('ok');
      }
      const { error, seq } = JSON.parse(answer.body) as { error: string; seq?: number };
      answers.note(error);
      if (error !== 'invalid_snapshot' || answer.status !== 400)
        throw new Error(`answered ${answer.status} ${answer.body}`);
      if (!Number.isSafeInteger(seq)) throw new Error('names no seq');
      const info = await head();
      if (info.status !== 404) throw new Error(`a refused file left ${info.body}`);
    };
    return {
      answers,
      async run(run) {
        const random = new Random(seed * 4_256_233 + run);
        let body = file;
        if (random.chance(0.6)) body = restructured(body, random);
        if (body === file || random.chance(0.1)) body = Buffer.from(mutateBytes(new Uint8Array(body), random));
        try {
          await check(body);
        } catch (error) {
          throw new Crash('restore', body, error);
        }
      },
      memory: () => node.memory,
      close: async () => {
        await node.stop();
        rmSync(data, { recursive: true, force: true });
      },
    };
  },
};
