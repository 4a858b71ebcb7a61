import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { errorBody } from '../../protocol/errors.ts';
import { member, owner, refused, stranger, TestEnclave } from './enclave.ts';
import { exchange } from './http.ts';
import { TestNode } from './node.ts';
import { json } from './people.ts';

let node: TestNode;
let enclave: TestEnclave;

before(async () => {
  node = await TestNode.start({ flags: ['--name', 'a test node'] });
  enclave = await TestEnclave.found(node);
});
after(() => node[Symbol.asyncDispose]());

const ops = (path: string) => exchange(node.operatorUrl, { path });

it('GET / tells name, version, protocol, limits and time', async () => {
  const answer = await node.get('/');
  const { time, kernel, secp256k1, ...rest } = JSON.parse(answer.body) as Record<string, unknown>;
  assert.ok(Math.abs((time as number) - Date.now()) < 5000);
  assert.match(String(kernel), /^[0-9a-f]{64}$/);
  assert.match(String(secp256k1), /^(native|wasm|noble)$/);
  assert.deepEqual(rest, {
    name: 'a test node',
    version: '0.0.0-test',
    protocol: 'enc/2',
    limits: { body: 8388608, commit: 1048576, array: 1000, exp_window: 600000 },
  });
});

it('the operator port says that it lives and is ready', async () => {
  assert.deepEqual([(await ops('/healthz')).status, (await ops('/readyz')).status], [200, 200]);
  refused(await ops('/nothing'), 'invalid_route');
});

it('the operator calls are not on the public port', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) refused(await node.get(path), 'invalid_route');
});

it('/metrics is valid exposition text with the promised series, and no label tells of an enclave or an identity', async () => {
  const commit = enclave.sign(owner, 'note', 'counted');
  await node.post('/', json(commit));
  await node.post('/', json(commit));
  await enclave.send(stranger, 'note', 'refused');
  await enclave.closeBundle();
  const answer = await ops('/metrics');
  assert.match(answer.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
  const series = checkExposition(answer.body);
  const value = (name: string): number => series.get(name) ?? Number.NaN;
  assert.ok(value('enc_events_total') >= 2);
  assert.ok(value('enc_bundles_closed_total') >= 1);
  assert.ok(value('enc_duplicate_commits_total') >= 1);
  assert.ok(value('enc_errors_total{code="forbidden"}') >= 1);
  assert.equal(value('enc_active_enclaves'), 1);
  assert.ok(value('enc_kernel_memory_bytes') > 0);
  assert.equal(value('enc_pending_bytes'), 0);
  for (const name of ['enc_batch_size_events', 'enc_append_seconds', 'enc_guard_seconds', 'enc_commit_seconds']) {
    assert.ok(value(`${name}_count`) >= 2, name);
  }
  assert.ok(
    [...series.keys()].some((name) => name.startsWith('nodejs_eventloop_lag')),
    'event-loop delay',
  );
  assert.ok([...series.keys()].some((name) => name.startsWith('enc_build_info{')));
  for (const secret of [enclave.id, enclave.sequencer, owner.id, member.id, node.madeUpToken])
    assert.ok(!answer.body.includes(secret));
});

it('error answers of an array are counted by code too', async () => {
  const before = checkExposition((await ops('/metrics')).body).get('enc_errors_total{code="gate_closed"}') ?? 0;
  const answer = await node.post(
    '/',
    `[${json(enclave.sign(stranger, 'Move', { target: stranger.id, from: 'OUTSIDER', to: 'READER' }))}]`,
  );
  assert.equal(answer.body, `[${errorBody('gate_closed')}]`);
  assert.equal(checkExposition((await ops('/metrics')).body).get('enc_errors_total{code="gate_closed"}'), before + 1);
});

/** What promtool would complain of: HELP and TYPE before samples, known types, names, numbers, full histograms. */
function checkExposition(text: string): Map<string, number> {
  const types = new Map<string, string>();
  const helped = new Set<string>();
  const series = new Map<string, number>();
  assert.ok(text.endsWith('\n'));
  for (const line of text.split('\n').filter(Boolean)) {
    const [, kind, name, rest] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      helped.add(name as string);
    } else if (kind === 'TYPE') {
      assert.match(rest as string, /^(counter|gauge|histogram|summary|untyped)$/);
      assert.ok(!types.has(name as string), `${name} twice`);
      types.set(name as string, rest as string);
    } else {
      const sample =
        /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})? (-?[\d.e+-]+|[Nn]a[Nn]|\+Inf)$/.exec(line);
      assert.ok(sample, line);
      const family = types.has(sample[1] as string)
        ? (sample[1] as string)
        : (sample[1] as string).replace(/_(bucket|sum|count)$/, '');
      assert.ok(types.has(family) && helped.has(family), `${line} has no HELP and TYPE`);
      if (types.get(family) === 'counter') assert.match(family, /_total$/);
      const key = `${sample[1]}${sample[2] ?? ''}`;
      assert.ok(!series.has(key), `${key} twice`);
      series.set(key, Number(sample[3]));
    }
  }
  for (const [name, type] of types) {
    if (type !== 'histogram') continue;
    if (series.has(`${name}_count`))
      assert.equal(series.get(`${name}_bucket{le="+Inf"}`), series.get(`${name}_count`), name);
  }
  return series;
}
