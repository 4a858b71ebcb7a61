import assert from 'node:assert/strict';
import { request } from 'node:http';
import { it } from 'node:test';
import { manifest, owner, TestEnclave } from './enclave.ts';
import { exchange } from './http.ts';
import { TestNode } from './node.ts';
import { json } from './people.ts';

const DEADLINE_MS = 30_000;

const brief = (timeout: number): object => manifest({ bundle: { size: 256, timeout } });

async function metric(node: TestNode, name: string): Promise<number> {
  const { body } = await exchange(node.operatorUrl, { path: '/metrics' });
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)?.[1] ?? Number.NaN);
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('bundles of far more enclaves than may be awake are closed soon after they are due', async () => {
  const count = 400;
  await using node = await TestNode.start({ flags: ['--max-active', '8'] });
  const enclaves = await Promise.all(Array.from({ length: count }, () => TestEnclave.found(node, brief(2000))));
  await until('all are closed', async () => (await metric(node, 'enc_bundles_closed_total')) === count);
  assert.ok((await metric(node, 'enc_evictions_total')) >= count - 8, 'they were closed by an enclave that slept');
  for (const { id } of enclaves) {
    const { body } = await node.get(`/${id}/sth`);
    assert.equal((JSON.parse(body) as { ts: number }).ts, 1);
  }
});

it('an enclave that was woken to close its bundle sleeps on', async () => {
  await using node = await TestNode.start({ flags: ['--max-active', '2'] });
  const first = await TestEnclave.found(node, brief(1000));
  for (let i = 0; i < 3; i++) await TestEnclave.found(node);
  await until('it is closed', async () => (await metric(node, 'enc_bundles_closed_total')) === 1);
  await until('it sleeps', async () => (await metric(node, 'enc_active_enclaves')) <= 2);
  assert.equal((await first.info()).head, 0);
});

it('a reader who is slow keeps the enclave awake, and gets everything', async () => {
  await using node = await TestNode.start({ flags: ['--max-active', '1'] });
  const enclave = await TestEnclave.found(node);
  const text = 'x'.repeat(60_000);
  for (let i = 0; i < 20; i++) {
    const commits = Array.from({ length: 20 }, (_, j) => enclave.sign(owner, 'note', { n: i * 20 + j, text }));
    await node.post('/', `[${commits.map(json).join()}]`);
  }
  const body = JSON.stringify({ type: 'Pull', ...enclave.envelope(owner), after_seq: -1, limit: 1000 });
  const answer = await new Promise<string>((resolve, reject) => {
    const sent = request(new URL(node.url), { method: 'POST', headers: { 'content-type': 'application/json' } });
    sent.on('error', reject);
    sent.on('response', async (response) => {
      // Twenty megabytes do not fit into the sockets between us: the node waits in the middle of its answer.
      response.pause();
      for (let i = 0; i < 5; i++) await TestEnclave.found(node);
      let all = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        all += part;
      });
      response.on('end', () => resolve(all)).on('error', reject);
      response.resume();
    });
    sent.end(body);
  });
  const { events, head } = JSON.parse(answer) as { events: { seq: number }[]; head: number };
  assert.equal(head, 400);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    Array.from({ length: 401 }, (_, i) => i),
  );
});
