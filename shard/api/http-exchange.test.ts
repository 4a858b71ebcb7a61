import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import pino from 'pino';
import { localTracing } from '../../test/tracing/local-tracing.ts';
import type { Api } from './api.ts';
import { HttpExchange } from './http-exchange.ts';

test('what the log says of a traced call names its trace', async () => {
  const lines: string[] = [];
  const logger = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const local = localTracing();
  const modules = { api: {} as Api, isAdmin: () => false, answers: null, logger, tracing: local.tracing };
  const server = createServer((request, response) =>
    new HttpExchange(request, response, Buffer.alloc(0), modules).fail(new Error('disk')),
  );
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  try {
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const [, trace, span] = (answer.headers.get('traceresponse') ?? '').split('-');
    const line = JSON.parse(lines[0] as string) as Record<string, unknown>;
    assert.deepEqual([line['trace_id'], line['span_id']], [trace, span]);
    await answer.text();
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
  const [seen] = local.finished();
  assert.deepEqual([seen?.attributes['error.type'], seen?.status.code], ['internal', 2]);
});
