import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { eventHashOf } from '../../protocol/event.ts';
import { eventId, keySeed, sequencerSecret } from '../../protocol/hash.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { signSth } from '../../protocol/sth.ts';
import { openSecp256k1 } from '../../shard/crypto/open.ts';
import { TestNode } from '../../test/api/node.ts';

const secp = openSecp256k1();

/** Parsed JSON as it goes over the wire: a lie may have any shape. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Wire = any;

export interface Asked {
  readonly method: string;
  readonly path: string;
  /** null if there is none */
  readonly body: Wire;
}

/** What a lying node makes of an honest answer; undefined: it says the truth. */
export type Lie = (asked: Asked, answer: Wire, node: LyingNode) => Wire;

/** What happens on the way: `cut`: the request arrives, the answer does not; `dropped`: neither; `busy`: 503 with Retry-After. */
export type Trouble = (asked: Asked) => 'cut' | 'dropped' | 'busy' | undefined;

export interface LyingNodeOptions {
  readonly lie?: Lie;
  readonly trouble?: Trouble;
}

/**
 * A real node behind a proxy that changes some answers. It holds the sequencers' keys, so that its lies are signed as well
 * as its truths: only who remembers and compares can find them.
 */
export class LyingNode implements AsyncDisposable {
  readonly #node: TestNode;
  readonly #server: Server;
  readonly #options: LyingNodeOptions;
  readonly #secrets = new Map<string, Uint8Array>();
  /** enclaves in the order in which they were founded */
  readonly enclaves: string[] = [];

  private constructor(node: TestNode, options: LyingNodeOptions) {
    this.#node = node;
    this.#options = options;
    // A node that is being stopped resets what is under way: whoever asked sees that, too.
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
  }

  static async start(options: LyingNodeOptions = {}): Promise<LyingNode> {
    const lying = new LyingNode(await TestNode.start(), options);
    await new Promise<void>((resolve) => lying.#server.listen(0, '127.0.0.1', resolve));
    return lying;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** An event, or a receipt with its commit's `sig`, under another seq or time, properly signed. */
  resequenced({ sig, ...of }: Wire, place: { seq?: number; timestamp?: number }): Wire {
    const moved = { ...of, ...place };
    const hash = eventHashOf({ hash: of.hash, sig }, moved);
    const seqSig = secp.signSchnorr(this.#secret(of.enclave), hash);
    const signed = { ...moved, seq_sig: toHex(seqSig), id: toHex(eventId(hash, seqSig)) };
    return of.type === 'Receipt' ? signed : { ...signed, sig };
  }

  /** The tree head with another root, properly signed. */
  forked(sth: Wire): Wire {
    const r = sth.r.replace(/^./, (digit: string) => (digit === '0' ? '1' : '0'));
    return signSth({ ...sth, r }, this.#secret(sth.enclave), secp);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#node[Symbol.asyncDispose]();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const text = Buffer.concat(parts);
    const asked = { method: request.method ?? '', path: request.url ?? '', body: json(text.toString()) };
    const trouble = this.#options.trouble?.(asked);
    if (trouble === 'busy') {
      response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '0' });
      return void response.end('{"type":"Error","error":"overloaded","message":"Try again."}');
    }
    if (trouble === 'dropped') return void request.socket.destroy();
    const answer = await this.#node.ask({
      method: asked.method,
      path: asked.path,
      ...(text.length > 0 ? { body: text, headers: { 'content-type': 'application/json' } } : {}),
    });
    if (asked.body?.type === 'Manifest') this.#learn(asked.body);
    if (trouble === 'cut') return void request.socket.destroy();
    const honest = json(answer.body);
    const lie = answer.status === 200 ? this.#options.lie?.(asked, honest, this) : undefined;
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(lie === undefined ? answer.body : JSON.stringify(lie));
  }

  #learn({ enclave, from, content, tags }: Wire): void {
    const file = JSON.parse(readFileSync(join(this.#node.data, 'keys', 'master.json'), 'utf8')) as {
      versions: { secret: string }[];
    };
    const seed = keySeed(unhex(from), toJson(content), tags ?? []);
    this.#secrets.set(enclave, sequencerSecret(unhex(file.versions.at(-1)?.secret ?? ''), seed));
    if (!this.enclaves.includes(enclave)) this.enclaves.push(enclave);
  }

  #secret(enclave: string): Uint8Array {
    const secret = this.#secrets.get(enclave);
    if (!secret) throw new Error('an enclave that was not founded here');
    return secret;
  }
}

function json(text: string): Wire {
  return text === '' ? null : JSON.parse(text);
}
