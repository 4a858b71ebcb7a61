import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { TcpProxy } from './tcp-proxy.ts';
import { waitFor } from './wait-for.ts';

const echo = createServer((socket) => socket.on('data', (bytes) => socket.write(bytes)).on('error', () => {}));
let proxy: TcpProxy;

before(async () => {
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await TcpProxy.listen({ port: (echo.address() as AddressInfo).port });
});
after(async () => {
  await proxy.close();
  echo.close();
});

class Client {
  readonly socket: Socket;
  heard = '';
  ended: string | null = null;

  constructor() {
    this.socket = connect({ port: proxy.port, host: '127.0.0.1' });
    this.socket.setEncoding('utf8').on('data', (text: string) => {
      this.heard += text;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.ended = error.code ?? 'error';
    });
    this.socket.on('close', () => {
      this.ended ??= 'closed';
    });
  }

  hears(text: string): Promise<unknown> {
    return waitFor(text, 2000, () => this.heard === text);
  }
}

test('a fair link carries both ways; a slow one in order and late', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.hears('a');
  proxy.weather = { kind: 'slow', ms: 60 };
  const sent = performance.now();
  client.socket.write('b');
  client.socket.write('c');
  await client.hears('abc');
  assert.ok(performance.now() - sent >= 119);
  proxy.mend();
  await waitFor('the end', 2000, () => client.ended);
});

test('a cut link tells nobody; what it held comes late, or never', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.hears('a');
  proxy.weather = { kind: 'cut' };
  client.socket.write('b');
  const fresh = new Client();
  fresh.socket.write('x');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([client.heard, client.ended, fresh.heard, fresh.ended], ['a', null, '', null]);
  proxy.thaw();
  await client.hears('ab');
  await fresh.hears('x');
  proxy.weather = { kind: 'cut' };
  client.socket.write('c');
  await new Promise((resolve) => setTimeout(resolve, 20));
  proxy.mend();
  await waitFor('the end', 2000, () => client.ended);
  assert.equal(client.ended, 'ECONNRESET');
  assert.equal(client.heard, 'ab');
});

test('a half link carries one way', async () => {
  const client = new Client();
  client.socket.write('a');
  await client.hears('a');
  proxy.weather = { kind: 'half', through: 'there' };
  client.socket.write('b');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(client.heard, 'a');
  // The echo had heard it all along.
  proxy.weather = { kind: 'half', through: 'back' };
  await client.hears('ab');
  client.socket.write('c');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(client.heard, 'ab');
  proxy.mend();
});
