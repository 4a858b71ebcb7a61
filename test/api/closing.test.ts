import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { it } from 'node:test';
import { errorBody } from '../../protocol/errors.ts';
import { waitFor } from '../parts/wait-for.ts';
import { TestNode } from './node.ts';

const SOON_MS = 5000;
const NOBODY = '0'.repeat(64);

/** True if a new connection is refused. */
async function refuses(url: URL): Promise<boolean> {
  const socket = connect(Number(url.port), url.hostname);
  const refused = await once(socket, 'connect').then(
    () => false,
    () => true,
  );
  socket.destroy();
  return refused;
}

async function all(socket: Socket): Promise<string> {
  let said = '';
  for await (const bytes of socket) said += String(bytes);
  return said;
}

it('what comes over a connection in use while the node stops is answered as ever', async () => {
  await using node = await TestNode.start();
  const url = new URL(node.url);
  const socket = connect(Number(url.port), url.hostname);
  await once(socket, 'connect');
  const said = all(socket);
  const body = JSON.stringify({ type: 'Info', enclave: NOBODY });
  const head = `POST /inclusion HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`;
  socket.write(head + body.slice(0, 5));
  // Behind the first request: this one is answered once the other has been taken.
  await node.get(`/${NOBODY}/sth`);
  const halted = node.halt();
  await waitFor('a closed door', SOON_MS, () => refuses(url));
  socket.write(`${body.slice(5)}GET /${NOBODY}/sth HTTP/1.1\r\nhost: x\r\n\r\n`);
  const [, , second = ''] = (await said).split('HTTP/1.1 ');
  assert.match(second, /^(404|503) /, await said);
  const answer = second.split('\r\n\r\n')[1];
  assert.ok([errorBody('enclave_not_found', ''), errorBody('unavailable', '')].includes(answer ?? ''), second);
  await halted;
});
