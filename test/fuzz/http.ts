import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorBody, errorOf, isErrorCode } from '../../protocol/errors.ts';
import { manifest } from '../api/enclave.ts';
import { rawConnection } from '../api/http.ts';
import { founding, json, person, session, sign } from '../api/people.ts';
import { mutateBytes } from '../parity/hostile.ts';
import { Random } from '../parity/random.ts';
import { ChildNode } from './child.ts';
import { Answers, Crash, type FuzzTarget, type Runner } from './target.ts';

const owner = person('owner');
const DEADLINE_MS = 10_000;
/** Every so many inputs the node must still serve a commit. */
const ALIVE_EVERY = 50;

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'BREW',
  'get',
  '',
];
const HEADERS = [
  'content-type: application/json',
  'content-type: text/plain; charset=\xff',
  'content-type: ',
  'transfer-encoding: chunked',
  'transfer-encoding: gzip, chunked',
  'expect: 100-continue',
  'expect: nonsense',
  'connection: keep-alive',
  'connection: upgrade\r\nupgrade: websocket',
  'authorization: Bearer x',
  'authorization: ',
  'host: ',
  'host: a\r\nhost: b',
  'x-forwarded-for: 1.2.3.4',
  'range: bytes=0-1',
  'accept-encoding: gzip',
  'content-encoding: gzip',
  'cookie: a=b',
  'x-http-method-override: DELETE',
  'accept-version: 9.9.9',
  'origin: null',
  'te: trailers',
  ` folded: a\r\n b`,
  'nul: \0',
  'x: \x7f',
  `long: ${'y'.repeat(9000)}`,
  'x-enc-sequencer: zz',
  'content-length: 5',
  'content-length: +5',
  'if-none-match: *',
];

/** Paths, headers and bodies against a real node: 4xx with a code, or a closed connection; never a 500 and never down. */
export const http: FuzzTarget = {
  help: 'paths, headers and bodies against a node in its own process',
  stride: 1,
  async open(seed: number): Promise<Runner> {
    const data = mkdtempSync(join(tmpdir(), 'enc-fuzz-'));
    const started = await ChildNode.start(data, [
      '--header-timeout-ms',
      '1000',
      '--request-timeout-ms',
      '2000',
      '--max-body',
      '1MiB',
      '--max-commit',
      '1MiB',
    ]);
    if (started.kind !== 'serves') throw new Error(`the node did not start: ${started.said}`);
    const { node } = started;
    const answers = new Answers();
    const post = (body: string) =>
      fetch(`${node.url}/`, { method: 'POST', body, signal: AbortSignal.timeout(DEADLINE_MS) }).then((answer) =>
        answer.text(),
      );
    const founded = founding(owner, manifest({ nonce: `${seed}` }), { exp: Date.now() + 60_000 });
    const { sequencer } = JSON.parse(await post(json(founded))) as { sequencer: string };
    const id = founded.enclave;
    let commits = 0;
    const alive = async (): Promise<void> => {
      const answer = await post(json(sign(owner, id, 'note', { n: commits++ }, { exp: Date.now() + 60_000 })));
      if (!answer.startsWith('{"type":"Receipt"')) throw new Error(`a good commit was answered ${answer}`);
    };
    return {
      answers,
      async run(run) {
        const random = new Random(seed * 3_267_000_013 + run);
        const input = requestBytes(random, id, session(owner, sequencer, Math.floor(Date.now() / 1000) + 600));
        try {
          // A request that stays incomplete is cut off by the node's own time-out; closing our side spares the wait.
          const { text } = await rawConnection(node.url, input, { deadlineMs: DEADLINE_MS, end: true });
          answers.note(judge(text));
          if (run % ALIVE_EVERY === 0) await alive();
        } catch (error) {
          throw new Crash(node.ended ?? 'http', input, error);
        }
        if (node.ended) throw new Crash(`the node is gone: ${node.ended}`, input);
      },
      memory: () => node.memory,
      close: async () => {
        await node.stop();
        rmSync(data, { recursive: true, force: true });
      },
    };
  },
};

function requestBytes(random: Random, id: string, token: string): Uint8Array {
  const bodies = [
    '{}',
    '[]',
    '',
    '{"exp":1}',
    `{"type":"Info","enclave":"${id}"}`,
    `{"type":"Query","enclave":"${id}","from":"${owner.id}","session":"${token}","filter":{}}`,
    `{"enclave":"${id}","from":"${owner.id}","session":"${token}","namespace":"rbac","key":"${owner.id}"}`,
    `{"enclave":"${id}","from":"${owner.id}","session":"${token}","seq":0}`,
    `{"sequencer_priv":"${'00'.repeat(32)}"}`,
    '['.repeat(random.int(5000)),
    '{"type":"Pull"}',
    JSON.stringify({ type: 'Sequencer', from: owner.id, content: {} }),
  ];
  const ids = [
    id,
    'ab'.repeat(32),
    id.toUpperCase(),
    'zz',
    '%00',
    '..',
    '',
    '__proto__',
    `${id}%20`,
    '0'.repeat(63),
    '%',
  ];
  const word = (): string =>
    random.pick([
      'sth',
      'consistency',
      'receipt',
      'snapshot',
      'restore',
      'recover',
      'init-with-priv',
      'close-bundle',
      'inclusion',
      'bundle',
      'state',
      'state-batch',
      'enclave',
      'enclaves',
      'nodes',
      'resolve',
      ...ids,
    ]);
  const query = random.pick([
    '',
    '',
    '?from=0&to=1',
    '?from=0',
    '?from=x',
    '?sig=',
    `?sig=${'ab'.repeat(64)}`,
    '?%',
    '?__proto__=1',
    `?${'a=1&'.repeat(300)}`,
    '?from=9007199254740993',
  ]);
  const some = random.pick([id, id, id, ...ids]);
  const calls = [
    '/',
    '/',
    `/enclave/${some}`,
    `/${some}/sth`,
    `/enclave/${some}/sth`,
    `/${some}/consistency`,
    `/${some}/receipt/${random.pick(ids)}`,
    '/bundle',
    '/inclusion',
    '/state',
    '/state-batch',
    `/enclave/${some}/state`,
    `/enclaves/${some}/close-bundle`,
    `/enclaves/${some}/init-with-priv`,
    `/enclaves/${some}/restore`,
    `/enclaves/${some}/recover`,
    `/${some}/snapshot`,
  ];
  const path =
    (random.chance(0.7) ? random.pick(calls) : `/${Array.from({ length: random.int(4) }, word).join('/')}`) + query;
  const headers = ['host: 127.0.0.1', ...(random.chance(0.5) ? random.some(HEADERS, 0.06) : [])];
  const body = random.chance(0.7)
    ? random.pick(bodies)
    : Buffer.from(mutateBytes(new Uint8Array(Buffer.from(random.pick(bodies))), random)).toString('latin1');
  const bytes = Buffer.from(body, 'latin1');
  if (random.chance(0.9))
    headers.push(
      `content-length: ${random.chance(0.93) ? bytes.length : random.pick([bytes.length + 1, Math.max(0, bytes.length - 1), 99_999_999_999, -1])}`,
    );
  const fitting = /sth|consistency|receipt|snapshot/.test(path) ? 'GET' : 'POST';
  const method = random.chance(0.85) ? random.pick([fitting, fitting, fitting, 'GET', 'POST']) : random.pick(METHODS);
  const head = `${method} ${path} ${random.chance(0.95) ? 'HTTP/1.1' : random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 ', ''])}\r\n${random.shuffled(headers).join('\r\n')}\r\n\r\n`;
  const whole = new Uint8Array(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
  return random.chance(0.15) ? mutateBytes(whole, random) : whole;
}

/** The first answer, if there is one, must be a success or an error of the table with its status and exact sentence. */
function judge(text: string): string {
  if (text === '') return 'closed';
  const [, code] = /^HTTP\/1\.1 (\d{3}) /.exec(text) ?? [];
  const status = Number(code);
  if (!status) throw new Error(`not HTTP: ${text.slice(0, 200)}`);
  if (status < 300) return 'ok';
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  if (!body.startsWith('{')) {
    if (status >= 500) throw new Error(text.slice(0, 300));
    return `${status} without a body`;
  }
  const { error } = /^\{"type":"Error","error":"(?<error>\w+)"/.exec(body)?.groups ?? {};
  if (!error || !isErrorCode(error) || errorOf(error).status !== status)
    throw new Error(`answered ${text.slice(0, 400)}`);
  if (!body.startsWith(errorBody(error).slice(0, -1))) throw new Error(`another sentence: ${body}`);
  if (status === 500) throw new Error('answered internal');
  return error;
}
