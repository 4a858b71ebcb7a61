import type { Clock } from '../../client/clock.ts';
import type { Secp } from '../../client/secp.ts';
import { type InspectMode, REQUEST_CONSISTENCY, REQUEST_STH } from '../../kernel/kernel.ts';
import { inspect, inspector, type Person, person, TestNode } from '../../kernel/reference/memory-node.test-util.ts';
import { utf8, viewOf } from '../../protocol/bytes.ts';
import { commitJson, parseCommit } from '../../protocol/commit.ts';
import { errorBody, errorOf, isErrorCode } from '../../protocol/errors.ts';
import { type EnclaveId, unhex } from '../../protocol/hex.ts';
import { isArray, isObject, type Json, parseJson } from '../../protocol/json.ts';

/**
 * A node over the reference kernel, spoken to through `fetch`: what an honest node answers, without sockets and
 * without waiting. Many enclaves, one sequencer key.
 */
export class HonestNode {
  readonly enclaves = new Map<string, TestNode>();
  readonly sequencer: Person;
  now = 1_700_000_000_000;
  /** Its time passes only when somebody sleeps. */
  readonly clock: Clock = {
    now: () => this.now,
    random: () => 0.5,
    sleep: async (ms) => {
      this.now += ms;
    },
  };

  private readonly secp: Secp;

  constructor(secp: Secp, sequencer: Person = person('sequencer')) {
    this.secp = secp;
    this.sequencer = sequencer;
  }

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const { pathname, searchParams } = new URL(url);
    const text = this.answer(
      init.method ?? 'GET',
      pathname,
      searchParams,
      typeof init.body === 'string' ? init.body : '',
    );
    const { error } = JSON.parse(text) as { error?: string };
    const status = error !== undefined && isErrorCode(error) ? errorOf(error).status : 200;
    return new Response(text, { status, headers: { 'content-type': 'application/json' } });
  };

  private answer(method: string, path: string, query: URLSearchParams, body: string): string {
    for (const node of this.enclaves.values()) node.now = this.now;
    if (method === 'POST') return this.post(path, body);
    if (path === '/') return '{"name":"honest","version":"0"}';
    const [, enclave = '', call, hash] = path.split('/');
    const node = this.enclaves.get(enclave);
    if (!node) return errorBody('enclave_not_found');
    if (call === 'sth') return read(node, publicRequest(REQUEST_STH, enclave));
    if (call === 'consistency') {
      return read(
        node,
        publicRequest(REQUEST_CONSISTENCY, enclave, Number(query.get('from')), Number(query.get('to'))),
      );
    }
    const found = node.log.events.find((event) => Buffer.from(event.hash).toString('hex') === hash);
    if (!found || Buffer.from(found.sig).toString('hex') !== query.get('sig')) {
      return errorBody('event_not_found', `"timestamp":${node.log.events.at(-1)?.timestamp ?? 0}`);
    }
    return new TextDecoder().decode(inspector.receipt(unhex(enclave), found.record));
  }

  private post(path: string, body: string): string {
    const close = /^\/enclaves\/([0-9a-f]{64})\/close-bundle$/.exec(path);
    if (close) {
      const node = this.enclaves.get(close[1] as string) as TestNode;
      node.close();
      return read(node, publicRequest(REQUEST_STH, close[1] as string));
    }
    if (path !== '/') return this.request(body, path.slice(1) as InspectMode);
    const value = parseJson(utf8(body))?.value as Json;
    if (isArray(value)) return `[${value.map((one) => this.commit(one)).join(',')}]`;
    if (!isObject(value)) return errorBody('invalid_commit');
    if (value.has('exp')) return this.commit(value);
    if (value.get('type') === 'Sequencer') return `{"type":"Sequencer","sequencer":"${this.sequencer.id}"}`;
    return this.request(body, 'post');
  }

  private commit(value: Json): string {
    const commit = parseCommit(value);
    if (!commit) return errorBody('invalid_commit');
    let node = this.enclaves.get(commit.enclave);
    if (!node) {
      if (commit.type !== 'Manifest') return errorBody('enclave_not_found');
      node = new TestNode(commit.enclave as EnclaveId, this.sequencer);
      const { secp } = this;
      Object.assign(node.host, {
        verify: (alg: number, pub: Uint8Array, hash: Uint8Array, sig: Uint8Array) =>
          alg === 1 ? secp.verifyEcdsa(pub, hash, sig) : secp.verifySchnorr(pub, hash, sig),
      });
      node.now = this.now;
    }
    const result = node.deliver(commitJson(commit));
    if (result.error !== null) return errorBody(result.error as 'internal', result.detail);
    this.enclaves.set(commit.enclave, node);
    return result.receipt;
  }

  private request(body: string, mode: InspectMode): string {
    const { bytes } = inspect(body, mode);
    const code = viewOf(bytes).getUint16(4, true);
    if (code !== 0) return errorBody(code);
    const value = JSON.parse(body) as {
      type?: string;
      enclave: string;
      after_seq?: number;
      filter?: { limit?: number; reverse?: boolean };
      limit?: number;
    };
    const node = this.enclaves.get(value.enclave);
    if (!node) return errorBody('enclave_not_found');
    if (value.type !== 'Query' && value.type !== 'Pull') return read(node, bytes);
    const refused = node.kernel.openQuery(bytes, this.now);
    if (refused !== 0) return errorBody(refused);
    const shown = node.log.events.flatMap(({ record, body: content }) => {
      const event = node.kernel.select(bytes, record, content);
      return event === null ? [] : [new TextDecoder().decode(event)];
    });
    if (value.filter?.reverse) shown.reverse();
    const events = shown.slice(0, (value.type === 'Pull' ? value.limit : value.filter?.limit) ?? 100);
    const head = value.type === 'Pull' ? `,"head":${node.log.events.length - 1}` : '';
    return `{"type":"Response","events":[${events.join(',')}]${head}}`;
  }
}

function read(node: TestNode, request: Uint8Array): string {
  const answer = node.read(request);
  return typeof answer === 'string' ? errorBody(answer as 'internal') : JSON.stringify(answer);
}

function publicRequest(kind: number, enclave: string, from = -1, to = -1): Uint8Array {
  const request = new Uint8Array(160);
  const view = viewOf(request);
  view.setUint32(0, 160, true);
  request[6] = kind;
  request.set(unhex(enclave), 8);
  view.setBigInt64(144, BigInt(from), true);
  view.setBigInt64(152, BigInt(to), true);
  return request;
}
