import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { type ErrorCode, errorBody, errorOf } from '../../protocol/errors.ts';
import { member, receipted, refused, TestEnclave } from './enclave.ts';
import { exchange, rawConnection } from './http.ts';
import { TestNode } from './node.ts';
import { json } from './people.ts';

/** Short limits, so that slow clients are cut off within a test's patience. */
const HEADERS_MS = 400;
const REQUEST_MS = 1200;
/** Far more than the limits above, for a machine that is busy. */
const DEADLINE_MS = 15_000;
const MAX_BODY = 1024 * 1024;

let node: TestNode;
let enclave: TestEnclave;
before(async () => {
  node = await TestNode.start({
    flags: [
      '--header-timeout-ms',
      String(HEADERS_MS),
      '--request-timeout-ms',
      String(REQUEST_MS),
      '--max-body',
      String(MAX_BODY),
      '--max-commit',
      String(MAX_BODY),
      '--max-connections',
      '60',
    ],
  });
  enclave = await TestEnclave.found(node);
});
after(() => node[Symbol.asyncDispose]());
afterEach(async () => {
  await enclave.commit(member, 'chat', 'others are served');
});

/** The answers of a raw connection: none (cut off), or 4xx errors of the table. */
function cutOff(text: string, code?: ErrorCode, detail = ''): void {
  if (text === '') return;
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
  assert.ok(status >= 400 && status < 500, text.slice(0, 200));
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  const { error } = JSON.parse(body) as { error: ErrorCode };
  assert.equal(body, errorBody(error, detail));
  assert.equal(status, errorOf(error).status);
  if (code) assert.equal(error, code);
}

describe('slow clients are cut off, and others are served meanwhile', () => {
  const meanwhile = async <T>(slow: Promise<T>): Promise<T> => {
    let done = false;
    const finished = slow.finally(() => {
      done = true;
    });
    let served = 0;
    while (!done) {
      const begun = performance.now();
      await enclave.commit(member, 'chat', { served: served++ });
      assert.ok(performance.now() - begun < 5000, 'a commit of somebody else waited');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return finished;
  };

  it('headers that drip', async () => {
    const drip = Array.from({ length: 10_000 }, (_, i) => `x-${i}: 1\r\n`);
    const { text } = await meanwhile(
      rawConnection(node.url, 'POST / HTTP/1.1\r\nhost: x\r\n', { deadlineMs: DEADLINE_MS, drip, everyMs: 100 }),
    );
    cutOff(text);
  });

  it('a body that drips', async () => {
    const drip = Array.from({ length: 10_000 }, () => ' ');
    const { text } = await meanwhile(
      rawConnection(node.url, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n', {
        deadlineMs: DEADLINE_MS,
        drip,
        everyMs: 100,
      }),
    );
    cutOff(text);
  });

  it('chunks that drip', async () => {
    const drip = Array.from({ length: 10_000 }, () => '1\r\n \r\n');
    const { text } = await meanwhile(
      rawConnection(node.url, 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n', {
        deadlineMs: DEADLINE_MS,
        drip,
        everyMs: 100,
      }),
    );
    cutOff(text);
  });

  it('a restored file that stands still, but not one that merely takes long', async () => {
    const head = `POST /enclaves/${enclave.id}/recover HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n`;
    const pieces = Math.ceil((2.5 * REQUEST_MS) / 100);
    const drip = Array.from({ length: pieces }, () => ' ');
    const patient = await meanwhile(
      rawConnection(node.url, `${head}content-length: ${pieces}\r\n\r\n`, {
        deadlineMs: DEADLINE_MS,
        drip,
        everyMs: 100,
      }),
    );
    assert.ok(patient.ms > 2 * REQUEST_MS);
    assert.match(patient.text, /^HTTP\/1\.1 200 /, 'a file was cut off although it came in');
    const still = await meanwhile(
      rawConnection(node.url, `${head}content-length: 100000\r\n\r\nx`, { deadlineMs: DEADLINE_MS }),
    );
    assert.equal(still.text, '');
    assert.ok(still.ms > 0.9 * REQUEST_MS);
  });

  it('a connection that never says anything', async () => {
    const { text } = await meanwhile(rawConnection(node.url, '', { deadlineMs: DEADLINE_MS }));
    cutOff(text);
  });

  it('a client that goes away in the middle of its body', async () => {
    for (let i = 0; i < 20; i++)
      await rawConnection(node.url, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n{', {
        deadlineMs: DEADLINE_MS,
        end: true,
      }).then(({ text }) => cutOff(text));
  });

  it('more connections than are allowed: the rest is turned away, and they come in again later', async () => {
    const { hostname, port } = new URL(node.url);
    const open = await Promise.all(
      Array.from(
        { length: 150 },
        () =>
          new Promise<{ socket: ReturnType<typeof connect>; closed: () => boolean }>((resolve) => {
            let closed = false;
            const socket = connect(Number(port), hostname);
            socket.on('error', () => {});
            socket.on('close', () => {
              closed = true;
            });
            socket.on('connect', () => setTimeout(() => resolve({ socket, closed: () => closed }), 200));
          }),
      ),
    );
    const held = open.filter(({ closed }) => !closed()).length;
    for (const { socket } of open) socket.destroy();
    assert.ok(held <= 60, `${held} connections held`);
    for (let i = 0; i < 100; i++) {
      const served = await exchange(node.url, { path: '/' }).then(
        ({ status }) => status === 200,
        () => false,
      );
      if (served) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.fail('nobody is served any more');
  });
});

describe('a client that sends a body that is too large to its end, and reads then', () => {
  const body = Buffer.alloc(7 * MAX_BODY, 0x20);
  const chunks = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
  const forms: [string, Buffer][] = [
    [`content-length: ${body.length}`, body],
    ['transfer-encoding: chunked', chunks],
  ];
  for (const [header, bytes] of forms) {
    it(`is told so (${header.split(':')[0]})`, async () => {
      const { hostname, port } = new URL(node.url);
      const socket = connect(Number(port), hostname);
      socket.pause();
      socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${header}\r\n\r\n`);
      await new Promise<void>((resolve, reject) => {
        socket.on('error', reject);
        socket.write(bytes, () => resolve());
      });
      const first = once(socket, 'data', { signal: AbortSignal.timeout(DEADLINE_MS) });
      socket.resume();
      const [answer] = (await first) as [Buffer];
      socket.destroy();
      assert.match(answer.toString(), /^HTTP\/1\.1 413 /);
      cutOff(answer.toString(), 'too_large');
    });
  }
});

describe('what is not HTTP is refused at once', () => {
  const inputs: [string, string | Uint8Array][] = [
    ['nonsense', 'hello\r\n\r\n'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex')],
    ['NUL bytes', Buffer.alloc(1000)],
    ['a bad version', 'GET / HTTP/9.9\r\n\r\n'],
    ['a bad method', 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nhost x\r\n\r\n'],
    ['NUL in a header', 'GET / HTTP/1.1\r\nhost: x\r\na: b\0c\r\n\r\n'],
    ['NUL in the path', 'GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}'],
    [
      'length and chunks',
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a negative length', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n'],
    ['a length that is no number', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2x\r\n\r\n{}'],
    [
      'a chunk size that is no number',
      'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    ],
    ['an unknown transfer coding', 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: nonsense\r\n\r\n{}'],
  ];
  for (const [what, input] of inputs) {
    it(what, async () => {
      const { text } = await rawConnection(node.url, input, { deadlineMs: DEADLINE_MS, end: true });
      cutOff(text);
    });
  }

  it('headers without end: too_large', async () => {
    const { text } = await rawConnection(node.url, `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, {
      deadlineMs: DEADLINE_MS,
      end: true,
    });
    cutOff(text, 'too_large');
  });

  it('ten thousand headers: too_large', async () => {
    const { text } = await rawConnection(
      node.url,
      `GET / HTTP/1.1\r\nhost: x\r\n${Array.from({ length: 10_000 }, (_, i) => `h${i}: 1\r\n`).join('')}\r\n`,
      { deadlineMs: DEADLINE_MS, end: true },
    );
    cutOff(text, 'too_large');
  });
});

describe('bodies', () => {
  it('over the limit are too_large, told and untold', async () => {
    refused(await node.post('/', Buffer.alloc(MAX_BODY + 1, ' ')), 'too_large');
    const chunk = 'x'.repeat(64 * 1024);
    const head = 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
    const { text } = await rawConnection(node.url, head, {
      deadlineMs: DEADLINE_MS,
      drip: Array.from({ length: 40 }, () => `10000\r\n${chunk}\r\n`),
      everyMs: 5,
    });
    cutOff(text, 'too_large');
  });

  it('that claim to be huge are refused before they are read', async () => {
    const { text, ms } = await rawConnection(
      node.url,
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n',
      { deadlineMs: DEADLINE_MS, end: true },
    );
    cutOff(text, 'too_large');
    assert.ok(ms < 2000);
  });

  it('in chunks, with trailers and by HTTP/1.0, are taken', async () => {
    const commit = enclave.sign(member, 'chat', 'in chunks');
    const text = json(commit);
    const chunks = (text.match(/.{1,40}/gs) ?? [])
      .map((part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`)
      .join('');
    const chunked = await rawConnection(
      node.url,
      `POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n${chunks}0\r\nx: y\r\n\r\n`,
      { deadlineMs: DEADLINE_MS },
    );
    receipted(chunked.text.slice(chunked.text.indexOf('\r\n\r\n') + 4), commit);
    const old = await rawConnection(
      node.url,
      `POST / HTTP/1.0\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      { deadlineMs: DEADLINE_MS },
    );
    receipted(old.text.slice(old.text.indexOf('\r\n\r\n') + 4), commit);
  });

  it('shorter or longer than they say are cut off', async () => {
    const { text } = await rawConnection(node.url, 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{}', {
      deadlineMs: DEADLINE_MS,
      end: true,
    });
    cutOff(text);
    const longer = await rawConnection(
      node.url,
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}rest\r\n\r\n',
      { deadlineMs: DEADLINE_MS, end: true },
    );
    cutOff(longer.text);
  });

  it('that are not there at all are refused, by every call that wants one', async () => {
    const id = 'ab'.repeat(32);
    for (const path of [
      '/',
      `/enclave/${id}`,
      '/inclusion',
      '/bundle',
      '/state',
      '/state-batch',
      `/enclaves/${id}/init-with-priv`,
      `/enclaves/${id}/restore`,
    ]) {
      const { text } = await rawConnection(
        node.url,
        `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`,
        { deadlineMs: DEADLINE_MS },
      );
      cutOff(
        text,
        path.endsWith('restore') ? 'invalid_snapshot' : 'invalid_json',
        path.endsWith('restore') ? '"seq":0' : '',
      );
    }
  });

  it('are answered in order when requests are pipelined', async () => {
    const one = 'GET / HTTP/1.1\r\nhost: x\r\n\r\n';
    const two = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}';
    const last = 'GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
    const { text } = await rawConnection(node.url, (one + two).repeat(50) + last, { deadlineMs: DEADLINE_MS });
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status);
    assert.deepEqual(statuses, [...Array.from({ length: 50 }, () => ['200', '400']).flat(), '404']);
  });

  const invalid: [string, string | Uint8Array][] = [
    ['nothing', ''],
    ['white space', ' \n'],
    ['33 levels', `${'{"a":'.repeat(32)}{}${'}'.repeat(32)}`],
    ['100,000 levels', '['.repeat(100_000)],
    ['a NUL byte', '{"a":"\0"}'],
    ['an escaped lone surrogate', '{"a":"\\ud800"}'],
    ['broken UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
    ['a byte-order mark', '\ufeff{}'],
    ['a fraction', '[1.5]'],
    ['an exponent', '[1e2]'],
    ['minus zero', '[-0]'],
    ['2^53', '[9007199254740992]'],
    ['a number without end', `[${'9'.repeat(500_000)}]`],
    ['trailing bytes', '{}x'],
    ['two values', '{}{}'],
    ['duplicate keys, one escaped', '{"a":1,"\\u0061":1}'],
    ['a comment', '{}//'],
    ['gzip', Buffer.from('1f8b0800000000000003abae0500430a4aa602000000', 'hex')],
  ];
  for (const [what, body] of invalid) {
    it(`of ${what} are invalid_json`, async () => refused(await node.post('/', body), 'invalid_json'));
  }

  it('of 100,000 elements are too_large', async () =>
    refused(await node.post('/', `[${'1,'.repeat(100_000)}1]`), 'too_large'));

  it('of a million keys are refused in bounded time', async () => {
    const begun = performance.now();
    refused(
      await node.post('/', `{${Array.from({ length: 90_000 }, (_, i) => `"k${i}":0`).join(',')}}`),
      'invalid_commit',
    );
    assert.ok(performance.now() - begun < 5000);
  });

  it('leave memory as it was', async () => {
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 30; i++)
        await Promise.all(Array.from({ length: 4 }, (_, j) => node.post('/', `[${'[],'.repeat(10_000 + i * 7 + j)}`)));
    };
    await flood();
    const before = process.memoryUsage().rss;
    await flood();
    await flood();
    assert.ok(process.memoryUsage().rss - before < 128 * 2 ** 20);
  });
});

describe('paths and methods', () => {
  const id = 'ab'.repeat(32);
  const unknown: [string, string][] = [
    ['GET', '/nothing'],
    ['GET', '//'],
    ['GET', '/%'],
    ['GET', '/%zz'],
    ['GET', '/%00'],
    ['GET', '/%c0%ae'],
    ['GET', '/../etc/passwd'],
    ['GET', '/%2e%2e/'],
    ['GET', `/${id}`],
    ['GET', `/${id}/`],
    ['GET', `/${id}/sth/`],
    ['GET', `/${id}/STH`],
    ['GET', `/enclave/${id}`],
    ['POST', `/${id}/sth`],
    ['POST', '/nothing'],
    ['POST', '/inclusion/'],
    ['POST', `/enclave/${id}/nothing`],
    ['POST', `/enclaves/${id}/nothing`],
    ['PUT', '/'],
    ['DELETE', '/'],
    ['PATCH', '/'],
    ['OPTIONS', '/'],
    ['OPTIONS', '*'],
    ['GET', '/state'],
    ['GET', '/__proto__'],
    ['GET', '/constructor/sth'],
    ['GET', `/${'x'.repeat(8000)}`],
    ['GET', `/${'%41'.repeat(1000)}/sth`],
    ['GET', '/?'.repeat(50)],
  ];
  for (const [method, path] of unknown) {
    it(`${method} ${path.length > 50 ? `${path.slice(0, 50)}…` : path}`, async () => {
      const answer = await node.ask({ method, path, ...(method === 'POST' && { body: '{}' }) });
      if (path === '/?'.repeat(50)) assert.equal(answer.status, 200);
      else refused(answer, 'invalid_route');
    });
  }

  it('a percent-encoded id is that id', async () => {
    const encoded = [...enclave.id].map((c, i) => (i % 2 ? c : `%${c.charCodeAt(0).toString(16)}`)).join('');
    assert.equal((await node.get(`/${encoded}/sth`)).body, (await node.get(`/${enclave.id}/sth`)).body);
  });

  it('a request without Host is served, and is no operator', async () => {
    const { text } = await rawConnection(node.url, 'GET / HTTP/1.1\r\nconnection: close\r\n\r\n', {
      deadlineMs: DEADLINE_MS,
    });
    assert.match(text, /^HTTP\/1\.1 200/);
    const admin = await rawConnection(
      node.url,
      `GET /enclaves/${enclave.id}/snapshot HTTP/1.1\r\nconnection: close\r\n\r\n`,
      { deadlineMs: DEADLINE_MS },
    );
    cutOff(admin.text, 'unauthorized');
  });

  it('HEAD is GET without a body', async () => {
    for (const [path, status] of [
      ['/', 200],
      [`/${enclave.id}/sth`, 200],
      [`/${'0'.repeat(64)}/sth`, 404],
      ['/nothing', 404],
    ] as const) {
      const answer = await node.ask({ method: 'HEAD', path });
      assert.deepEqual([path, answer.status, answer.body], [path, status, '']);
    }
  });

  it('Expect, Upgrade and odd headers are no trap', async () => {
    const expecting = await node.post('/', '{}', { expect: '100-continue' });
    refused(expecting, 'invalid_commit');
    refused(await node.post('/', '{}', { expect: 'nonsense' }), 'invalid_commit');
    const upgrading = await node.get('/', { connection: 'upgrade', upgrade: 'websocket' });
    assert.ok([200, 400, 404, 426].includes(upgrading.status), String(upgrading.status));
    // The body decides: what a client calls it is not looked at.
    refused(await node.post('/', '{}', { 'content-type': ';;;=,' }), 'invalid_commit');
    refused(await node.post('/', '{}', { 'content-type': 'application/json; charset=utf-16' }), 'invalid_commit');
    refused(await node.post('/', '{}', { 'content-encoding': 'gzip' }), 'invalid_commit');
  });
});
