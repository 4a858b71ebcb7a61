import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { Append, EnclaveLog } from '../../shard/log/enclave-log.ts';
import { waitFor } from '../parts/wait-for.ts';
import { member, TestEnclave } from './enclave.ts';
import { TestNode } from './node.ts';
import { json } from './people.ts';

/** As many commits as are worth a batch beside one that is in flight. */
const BATCH = 16;
const SOON_MS = 5000;

/** Appends that wait until the test lets them go, in order. */
class Gate {
  readonly held: (() => void)[] = [];
  closed = false;

  wrap(log: EnclaveLog): EnclaveLog {
    const gate = this;
    return new Proxy(log, {
      get(target, name) {
        const member = Reflect.get(target, name, target) as unknown;
        if (name === 'append' && gate.closed)
          return (append: Append): void => void gate.held.push(() => target.append(append));
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  }

  /** Resolves when so many appends wait. */
  holds(count: number): Promise<unknown> {
    return waitFor(`${count} appends that wait`, SOON_MS, () => this.held.length === count);
  }

  open(): void {
    this.closed = false;
    for (const go of this.held.splice(0)) go();
  }
}

const gate = new Gate();
let node: TestNode;
let enclave: TestEnclave;

before(async () => {
  node = await TestNode.start({ overrides: { log: (log) => gate.wrap(log) } });
  enclave = await TestEnclave.found(node);
});
after(async () => {
  gate.open();
  await node[Symbol.asyncDispose]();
});

const chats = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => json(enclave.sign(member, 'chat', { n })));
const post = (bodies: readonly string[]) => node.post('/', `[${bodies.join(',')}]`);

it('never tells a time at which a commit that is still in flight would have expired', async () => {
  const commit = enclave.sign(member, 'chat', { accepted: true }, { exp: node.now() + 1000 });
  gate.closed = true;
  const first = enclave.send(member, 'chat', 'in flight');
  await gate.holds(1);
  const asked = node.get(`/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`);
  // It has been taken in when what came behind it has been answered.
  for (let i = 0; i < 3; i++) await enclave.node.get('/');
  const second = post([json(commit), ...chats(BATCH)]);
  await gate.holds(2);
  node.skew += 2000;
  const third = post(chats(BATCH));
  await gate.holds(3);

  gate.held.shift()?.();
  const answer = JSON.parse((await asked).body) as { error?: string; timestamp: number };
  assert.equal(answer.error, 'event_not_found');
  assert.ok(answer.timestamp < commit.exp, 'it says that the commit never will be accepted');
  gate.open();
  await Promise.all([first, third]);
  assert.match((await second).body, /^\[\{"type":"Receipt"/);
});
