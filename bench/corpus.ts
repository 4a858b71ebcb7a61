import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { loadWasmModule } from '../kernel/wasm-module.ts';
import type { Inspector } from '../kernel/kernel.ts';
import { enclaveId } from '../protocol/hash.ts';
import { toHex, unhex } from '../protocol/hex.ts';
import { MAX_ARRAY, MAX_COMMIT_BYTES } from '../protocol/limits.ts';
import type { Backend, SigningKey } from '../shard/crypto/backend.ts';
import { openSecp256k1 } from '../shard/crypto/open.ts';

const ZERO_HASH = '0'.repeat(64);
const ZERO_SIG = '0'.repeat(128);

export interface Author {
  readonly id: string;
  readonly key: SigningKey;
}

/** Signs commits fast: the hash comes from the inspector, the signature from the native library. */
export class Corpus {
  readonly secp: Backend;
  readonly #inspector: Inspector;
  readonly #sig = new Uint8Array(64);

  private constructor(inspector: Inspector) {
    this.secp = openSecp256k1();
    this.#inspector = inspector;
  }

  static async open(): Promise<Corpus> {
    return new Corpus(createWasmInspector(await loadWasmModule(), { maxCommit: MAX_COMMIT_BYTES, maxArray: MAX_ARRAY }));
  }

  /** A key from a number, so that runs can be repeated. */
  author(n: number): Author {
    const secret = Buffer.alloc(32);
    secret.writeUInt32BE(n + 1, 28);
    secret[0] = 1;
    return { id: toHex(this.secp.publicKey(secret) as Uint8Array), key: this.secp.signingKey(secret) as SigningKey };
  }

  /** A signed commit as JSON text. `content` is JSON text. */
  commit(author: Author, enclave: string, type: string, content: string, exp: number): string {
    const text = (hash: string, sig: string): string =>
      `{"hash":"${hash}","enclave":"${enclave}","from":"${author.id}","type":"${type}","content":${content},"exp":${exp},"sig":"${sig}"}`;
    const { bytes } = this.#inspector.inspect(Buffer.from(text(ZERO_HASH, ZERO_SIG)), 'post');
    const hash = bytes.slice(88, 120);
    author.key.signInto(hash, this.#sig);
    return text(toHex(hash), toHex(this.#sig));
  }

  /** The commit with its true hash and a signature of zeros: for what does not look at signatures. */
  unsigned(author: Author, enclave: string, type: string, content: string, exp: number): Buffer {
    const text = `{"hash":"${ZERO_HASH}","enclave":"${enclave}","from":"${author.id}","type":"${type}","content":${content},"exp":${exp},"sig":"${ZERO_SIG}"}`;
    const body = Buffer.from(text);
    const { bytes } = this.#inspector.inspect(body, 'post');
    body.write(toHex(bytes.subarray(88, 120)), 9, 'latin1');
    return body;
  }

  /** A Manifest and the id that it founds: `members` may write notes. */
  manifest(owner: Author, members: readonly Author[], nonce: string, exp: number, bundle = {}): { enclave: string; text: string } {
    const init = [
      { identity: owner.id, state: 'OWNER', traits: ['admin'] },
      ...members.map(({ id }) => ({ identity: id, state: 'MEMBER', traits: [] })),
    ];
    const content = JSON.stringify({
      enc_v: 2, nonce, bundle,
      RBAC: {
        states: ['OWNER', 'MEMBER'], traits: ['admin(0)'],
        readers: [{ type: 'OWNER', reads: '*' }, { type: 'MEMBER', reads: '*' }],
        customs: [{ event: 'note', operator: 'MEMBER', ops: ['C'] }, { event: 'note', operator: 'OWNER', ops: ['C'] }],
        slots: [{ event: 'Own', operator: 'MEMBER', ops: ['C', 'U', 'D'], key: '*' }],
        init,
      },
    });
    const enclave = this.enclaveId(owner, content);
    return { enclave, text: this.commit(owner, enclave, 'Manifest', content, exp) };
  }

  enclaveId(owner: Author, content: string): string {
    const text = `{"hash":"${ZERO_HASH}","enclave":"${ZERO_HASH}","from":"${owner.id}","type":"Manifest","content":${content},"exp":0,"sig":"${ZERO_SIG}"}`;
    const { bytes } = this.#inspector.inspect(Buffer.from(text), 'post');
    return toHex(enclaveId(unhex(owner.id), bytes.slice(184, 216), []));
  }
}
