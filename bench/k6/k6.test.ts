import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TestNode } from '../../test/api/node.ts';
import { TestCluster } from '../../test/cluster/test-cluster.ts';
import { findProgram } from '../../test/parts/find-program.ts';
import { serveCorpus } from '../corpus-server.ts';
import { CorpusSource, writeCorpus } from '../corpus-source.ts';
import type { BenchResult } from '../result.ts';

const K6 = findProgram('k6');
const skip = K6 === null ? 'no k6 (go install go.k6.io/k6@v1.8.1)' : false;
const SCRIPTS = fileURLToPath(new URL('.', import.meta.url));
const DEADLINE_MS = 120_000;
/** k6's exit codes. */
const [THRESHOLDS, EXCEPTION] = [99, 107];
/** Nothing here is about speed. */
const SMALL = {
  DURATION: '2s',
  WARM_UP: '1s',
  RATE: '20',
  BATCHES: '2',
  BATCH: '5',
  READS: '5',
  P99_MS: '60000',
  LEFT_OUT: '1',
};

interface Run {
  readonly code: number;
  readonly output: string;
  readonly rows: readonly BenchResult[];
}

describe('k6', { skip, timeout: 2 * DEADLINE_MS }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'enc-k6-'));
  let node: TestNode;
  before(async () => {
    node = await TestNode.start();
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  function k6(script: string, env: Readonly<Record<string, string>>): Promise<Run> {
    const json = join(folder, 'rows.json');
    rmSync(json, { force: true });
    const args = Object.entries({ URL: node.url, JSON: json, ...env }).flatMap(([name, value]) => [
      '-e',
      `${name}=${value}`,
    ]);
    // As a shell would say it.
    const options = { cwd: folder, env: { ...process.env, PWD: folder }, timeout: DEADLINE_MS };
    return new Promise((resolve) => {
      execFile(
        K6 as string,
        ['run', '--quiet', '--no-usage-report', '--address', '', ...args, join(SCRIPTS, script)],
        options,
        (error, out, err) => {
          const code = error === null ? 0 : Number(error.code ?? -1);
          let rows: BenchResult[] = [];
          try {
            rows = JSON.parse(readFileSync(json, 'utf8'));
          } catch {
            // it ended before there was anything to sum up
          }
          resolve({ code, output: `${out}${err}`, rows });
        },
      );
    });
  }

  const head = async (enclave: string): Promise<number> =>
    JSON.parse((await node.post('/', { type: 'Info', enclave })).body).head;

  it('smoke.js passes against a node', async () => {
    const { code, output, rows } = await k6('smoke.js', {});
    assert.equal(code, 0, output);
    assert.deepEqual(
      rows.map(({ name, met }) => [name, met]),
      [['k6-smoke', true]],
    );
  });

  it('smoke.js passes against a cluster', async () => {
    await using cluster = await TestCluster.start({ shards: 2 });
    const { code, output } = await k6('smoke.js', { URL: cluster.url });
    assert.equal(code, 0, output);
  });

  it("prints k6's own summary when no file is asked for", async () => {
    const { code, output } = await k6('smoke.js', { JSON: '' });
    assert.equal(code, 0, output);
    assert.match(output, /checks_succeeded\.*: 100\.00%/);
  });

  for (const [what, change] of [
    [
      'another seq in receipts',
      (text: string) => text.replace(/"type":"Receipt"(.*?)"seq":1,/g, '"type":"Receipt"$1"seq":2,'),
    ],
    ['a tree head of another time', (text: string) => text.replace(/"t":(\d+)/, (_all, t) => `"t":${Number(t) + 1}`)],
    ['a query that leaves one out', (text: string) => text.replace(/("events":\[)\{.*?\},(?=\{)/, '$1')],
  ] as const) {
    it(`smoke.js fails against a node that lies: ${what}`, async (t) => {
      const { code, output } = await k6('smoke.js', { URL: await liar(t, node.url, change) });
      assert.equal(code, THRESHOLDS, output);
    });
  }

  it('load.js takes a file of commits, each once, and says so in rows of a report', async () => {
    const file = join(folder, 'corpus.ndjson');
    const source = await CorpusSource.open(10);
    await writeCorpus(file, source, 200, Date.now() + 300_000);
    const { code, output, rows } = await k6('load.js', SMALL);
    assert.equal(code, 0, output);
    const [single, batch, reads] = rows as [BenchResult, BenchResult, BenchResult];
    assert.deepEqual(
      rows.map(({ name, met }) => [name, met]),
      [
        ['k6-load-single', true],
        ['k6-load-batch', true],
        ['k6-load-reads', true],
      ],
    );
    const acknowledged = ((single.rate as number) + (batch.rate as number)) * 2;
    assert.ok(acknowledged > 0, output);
    assert.ok(Number(reads.p50_ms) > 0);
    const heads = await Promise.all(source.enclaves.map(head));
    const all = heads.reduce((sum, one) => sum + one, 0);
    // The warm-up commits too, and each commit is an event of its own.
    assert.ok(all >= acknowledged && all <= 200, `${all} events, ${acknowledged} of them counted`);

    const again = await k6('load.js', SMALL);
    assert.equal(again.code, EXCEPTION);
    assert.match(again.output, /has been used on this node/);
  });

  it('refuses a corpus that does not fit before it sends anything', async () => {
    const file = join(folder, 'other.ndjson');
    const many = await CorpusSource.open(2);
    const wrong = async (script: string, fault: RegExp): Promise<void> => {
      const { code, output } = await k6(script, { ...SMALL, CORPUS: 'other.ndjson' });
      assert.equal(code, EXCEPTION, output);
      assert.match(output, fault);
    };
    await wrong('load.js', /other\.ndjson: npm run bench -- corpus/);
    await writeCorpus(file, many, 20, Date.now() + 300_000);
    await wrong('load.js', /has 20 commits, load needs \d+/);
    await wrong('hot-enclave.js', /needs a corpus of one enclave/);
    await writeCorpus(file, many, 200, Date.now() + 1000);
    await wrong('load.js', /is good for 0 s more/);
    assert.equal((await node.post('/', { type: 'Info', enclave: many.enclaves[0] })).status, 404);
  });

  it('hot-enclave.js takes commits from a server, also a second time', async (t) => {
    const source = await CorpusSource.open(1);
    const server = await serveCorpus(source, { host: '127.0.0.1', port: 0 }, 300_000);
    t.after(() => server.closeAllConnections());
    t.after(() => server.close());
    const CORPUS = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const _run of [1, 2]) {
      const { code, output, rows } = await k6('hot-enclave.js', { ...SMALL, CORPUS });
      assert.equal(code, 0, output);
      assert.equal(rows.length, 3);
    }
    assert.ok((await head(source.enclaves[0] as string)) > 0);
  });
});

/** Stands before a node and changes what it answers. */
async function liar(t: TestContext, url: string, change: (text: string) => string): Promise<string> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = chunks.length > 0 ? { body: Buffer.concat(chunks) } : {};
    const answer = await fetch(url + request.url, { method: request.method ?? 'GET', ...body });
    response.writeHead(answer.status).end(change(await answer.text()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
