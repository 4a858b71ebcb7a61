import type { Inspector } from '../kernel/kernel.ts';
import { createWasmInspector } from '../kernel/wasm-inspector.ts';
import { loadWasmModule } from '../kernel/wasm-module.ts';
import { enclaveId } from '../protocol/hash.ts';
import { toHex, unhex } from '../protocol/hex.ts';
import { MAX_ARRAY, MAX_COMMIT_BYTES } from '../protocol/limits.ts';
import type { Backend, SigningKey } from '../shard/crypto/backend.ts';
import { openSecp256k1 } from '../shard/crypto/open.ts';

const ZERO_HASH = '0'.repeat(64);
const ZERO_SIG = '0'.repeat(128);

export interface Author {
  /** hex32 */
  readonly id: string;
  readonly secret: Uint8Array;
  readonly key: SigningKey;
}

/** A commit before it is signed. */
export interface Draft {
  readonly type: string;
  /** JSON text */
  readonly content: string;
  readonly exp: number;
  /** JSON text of the list of tags, if there are any */
  readonly tags?: string;
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
    return new Corpus(
      createWasmInspector(await loadWasmModule(), { maxCommit: MAX_COMMIT_BYTES, maxArray: MAX_ARRAY }),
    );
  }

  /** A key from a number, so that runs can be repeated. */
  author(n: number): Author {
    const secret = Buffer.alloc(32);
    secret.writeUInt32BE(n + 1, 28);
    secret[0] = 1;
    const id = toHex(this.secp.publicKey(secret) as Uint8Array);
    return { id, secret, key: this.secp.signingKey(secret) as SigningKey };
  }

  /** A signed commit as JSON text. */
  commit(author: Author, enclave: string, draft: Draft): string {
    const { bytes } = this.#inspector.inspect(
      Buffer.from(commitText(author, enclave, draft, ZERO_HASH, ZERO_SIG)),
      'post',
    );
    const hash = bytes.slice(88, 120);
    author.key.signInto(hash, this.#sig);
    return commitText(author, enclave, draft, toHex(hash), toHex(this.#sig));
  }

  /** The commit with its true hash and a signature of zeros: for what does not look at signatures. */
  unsigned(author: Author, enclave: string, draft: Draft): Buffer {
    const body = Buffer.from(commitText(author, enclave, draft, ZERO_HASH, ZERO_SIG));
    const { bytes } = this.#inspector.inspect(body, 'post');
    body.write(toHex(bytes.subarray(88, 120)), HASH_AT, 'latin1');
    return body;
  }

  /** A Manifest and the id that it founds: `members` may write notes and rares, and read everything. */
  manifest(
    owner: Author,
    members: readonly Author[],
    nonce: string,
    exp: number,
    bundle = {},
  ): { enclave: string; text: string } {
    const { enclave, draft } = this.#founding(owner, members, nonce, exp, bundle);
    return { enclave, text: this.commit(owner, enclave, draft) };
  }

  /** The same with a signature of zeros. */
  unsignedManifest(
    owner: Author,
    members: readonly Author[],
    nonce: string,
    exp: number,
    bundle = {},
  ): { enclave: string; text: Buffer } {
    const { enclave, draft } = this.#founding(owner, members, nonce, exp, bundle);
    return { enclave, text: this.unsigned(owner, enclave, draft) };
  }

  #founding(
    owner: Author,
    members: readonly Author[],
    nonce: string,
    exp: number,
    bundle: object,
  ): { enclave: string; draft: Draft } {
    const init = [
      { identity: owner.id, state: 'OWNER', traits: ['admin'] },
      ...members.map(({ id }) => ({ identity: id, state: 'MEMBER', traits: [] })),
    ];
    const content = JSON.stringify({
      enc_v: 2,
      nonce,
      bundle,
      RBAC: {
        states: ['OWNER', 'MEMBER'],
        traits: ['admin(0)'],
        readers: [
          { type: 'OWNER', reads: '*' },
          { type: 'MEMBER', reads: '*' },
        ],
        customs: ['note', 'rare'].flatMap((event) =>
          ['MEMBER', 'OWNER'].map((operator) => ({ event, operator, ops: ['C'] })),
        ),
        slots: [{ event: 'Own', operator: 'MEMBER', ops: ['C', 'U', 'D'], key: '*' }],
        init,
      },
    });
    const enclave = this.enclaveId(owner, content);
    return { enclave, draft: { type: 'Manifest', content, exp } };
  }

  /** The id that a Manifest of this author and content founds. */
  enclaveId(owner: Author, content: string): string {
    const draft = { type: 'Manifest', content, exp: 0 };
    const { bytes } = this.#inspector.inspect(
      Buffer.from(commitText(owner, ZERO_HASH, draft, ZERO_HASH, ZERO_SIG)),
      'post',
    );
    return toHex(enclaveId(unhex(owner.id), bytes.slice(184, 216), []));
  }
}

/** where the hash stands in the text of a commit */
const HASH_AT = '{"hash":"'.length;

function commitText(author: Author, enclave: string, draft: Draft, hash: string, sig: string): string {
  const { type, content, exp, tags } = draft;
  const tagged = tags === undefined ? '' : `"tags":${tags},`;
  return `{"hash":"${hash}","enclave":"${enclave}","from":"${author.id}","type":"${type}","content":${content},${tagged}"exp":${exp},"sig":"${sig}"}`;
}
