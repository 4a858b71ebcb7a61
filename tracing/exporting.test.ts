import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { waitFor } from '../test/parts/wait-for.ts';
import { tracingOptions } from '../test/tracing/tracing-options.ts';
import { openTracing } from './open-tracing.ts';
import type { TracingOptions } from './options.ts';
import type { Tracing } from './tracing.ts';

const CALLER = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1, state: '' };
const QUEUE = { size: 20, batch: 5, delay: 10, timeout: 2000 };

/** A receiver that does as it is told with each request. */
class Receiver implements AsyncDisposable {
  readonly #server: Server;
  readonly sockets = new Set<Socket>();
  requests = 0;
  headers: NodeJS.Dict<string | string[]> = {};

  /** `status` 0: no answer */
  constructor(status: number) {
    this.#server = createServer((request, response) => {
      this.requests++;
      this.headers = request.headers;
      request.resume();
      if (status !== 0) request.on('end', () => response.writeHead(status).end());
    });
    this.#server.on('connection', (socket) => this.sockets.add(socket));
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function open(options: Partial<TracingOptions> & { url: string }, said: object[] = []): Promise<Tracing> {
  const tracing = await openTracing(tracingOptions({ queue: QUEUE, ...options }), {
    service: 'test',
    version: '1',
    shard: null,
    headers: { 'x-token': 'open sesame' },
    warn: (fields) => void said.push(fields),
  });
  return tracing ?? assert.fail();
}

const spans = (tracing: Tracing, count: number): void => {
  for (let i = 0; i < count; i++) tracing.joined(`span ${i}`, CALLER, {}).end();
};
const sum = ({ exported, dropped, failed }: Tracing['counts']): number => exported + dropped + failed;

test('nothing is opened where no receiver is named', async () => {
  const process = { service: 'x', version: '1', shard: null, headers: {}, warn: () => {} };
  assert.equal(await openTracing(null, process), null);
});

test('what is taken is counted as exported, under the headers that were set', async () => {
  await using receiver = await new Receiver(200).listen();
  const tracing = await open({ url: receiver.url });
  spans(tracing, 12);
  await waitFor('the export', 5000, () => tracing.counts.exported === 12);
  assert.deepEqual(tracing.counts, { exported: 12, dropped: 0, failed: 0 });
  assert.equal(receiver.headers['x-token'], 'open sesame');
  await tracing.close();
});

test('what waits at the end is sent', async () => {
  await using receiver = await new Receiver(200).listen();
  const tracing = await open({ url: receiver.url, queue: { ...QUEUE, delay: 60_000 } });
  spans(tracing, 4);
  assert.equal(receiver.requests, 0);
  await tracing.close();
  assert.equal(tracing.counts.exported, 4);
});

test('a receiver that does not answer costs no more than the queue, and every span is counted', async () => {
  await using receiver = await new Receiver(0).listen();
  const said: object[] = [];
  const tracing = await open({ url: receiver.url, timeout: 300 }, said);
  spans(tracing, 1000);
  assert.equal(tracing.counts.dropped, 1000 - QUEUE.size);
  await waitFor('the failure of all', 10_000, () => sum(tracing.counts) === 1000);
  assert.deepEqual(tracing.counts, { exported: 0, dropped: 1000 - QUEUE.size, failed: QUEUE.size });
  assert.equal(said.length, 1, 'told of once, not for every export');
  // There is room again.
  spans(tracing, QUEUE.size + 1);
  assert.equal(tracing.counts.dropped, 1000 - QUEUE.size + 1);
  await tracing.close();
});

test('a receiver that is away or refuses fails what is sent to it', async () => {
  const gone = await new Receiver(200).listen();
  const { url } = gone;
  await gone[Symbol.asyncDispose]();
  await using refusing = await new Receiver(400).listen();
  for (const at of [url, refusing.url]) {
    const tracing = await open({ url: at, timeout: 300 });
    spans(tracing, 3);
    await waitFor('the failure', 5000, () => tracing.counts.failed === 3);
    await tracing.close();
  }
});

test('the end of the process waits for a silent receiver no longer than three seconds', async () => {
  await using receiver = await new Receiver(0).listen();
  const tracing = await open({ url: receiver.url, timeout: 8000, queue: { ...QUEUE, timeout: 8000 } });
  spans(tracing, 20);
  const began = performance.now();
  await tracing.close();
  const took = performance.now() - began;
  assert.ok(took > 2900 && took < 5000, `${took} ms`);
});
