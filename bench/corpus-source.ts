import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { toHex } from '../protocol/hex.ts';
import { type Author, Corpus } from './corpus.ts';

/** First line of a corpus, and what a server of one answers at `/`: read by bench/k6/lib/supply.ts. */
export interface CorpusHeader {
  readonly format: 'enc-corpus';
  readonly v: 1;
  readonly enclaves: number;
  /** in the file; null where they are signed when they are asked for */
  readonly commits: number | null;
  /** Unix ms: from then on nodes answer `expired`; null likewise */
  readonly good_until: number | null;
  /** secret key of the identity that may read every enclave of it, hex32 */
  readonly reader: string;
}

/** Authors of the one enclave of a hot corpus, and of each of many. */
const AUTHORS_OF_ONE = 1000;
const AUTHORS_OF_MANY = 4;
/** Bytes that are gathered before they are written. */
const CHUNK = 1 << 20;

/** about 200 bytes, as ARCHITECTURE §6 has it; no two with the same `n` */
const content = (n: number): string => `{"n":${n},"text":"${'enclave '.repeat(22)}"}`;

/** Enclaves of its own, new ones each time, and an endless supply of signed commits for them in turn. */
export class CorpusSource {
  readonly enclaves: readonly string[];
  readonly #corpus: Corpus;
  readonly #owner: Author;
  readonly #authors: readonly Author[];
  readonly #run: string;
  #next = 0;

  private constructor(corpus: Corpus, enclaves: number) {
    this.#corpus = corpus;
    this.#owner = corpus.author(0);
    const authors = enclaves === 1 ? AUTHORS_OF_ONE : AUTHORS_OF_MANY;
    this.#authors = Array.from({ length: authors }, (_, i) => corpus.author(1 + i));
    this.#run = toHex(randomBytes(8));
    this.enclaves = Array.from({ length: enclaves }, (_, i) => this.#manifest(i, 0).enclave);
  }

  static async open(enclaves: number): Promise<CorpusSource> {
    return new CorpusSource(await Corpus.open(), enclaves);
  }

  header(commits: number | null, goodUntil: number | null): CorpusHeader {
    const reader = toHex(this.#owner.secret);
    return { format: 'enc-corpus', v: 1, enclaves: this.enclaves.length, commits, good_until: goodUntil, reader };
  }

  /** The Manifests that found the enclaves, in their order. */
  *manifests(exp: number): Generator<string> {
    for (let i = 0; i < this.enclaves.length; i++) yield this.#manifest(i, exp).text;
  }

  /** The next commits: enclaves in turn, and the authors of each in turn. */
  *commits(count: number, exp: number): Generator<string> {
    for (let i = 0; i < count; i++) {
      const n = this.#next++;
      const enclave = this.enclaves[n % this.enclaves.length] as string;
      const author = this.#authors[Math.floor(n / this.enclaves.length) % this.#authors.length] as Author;
      yield this.#corpus.commit(author, enclave, { type: 'note', content: content(n), exp });
    }
  }

  #manifest(i: number, exp: number): { enclave: string; text: string } {
    return this.#corpus.manifest(this.#owner, this.#authors, `${this.#run}-${i}`, exp);
  }
}

/** Writes a corpus: its header, a Manifest for each enclave, the commits; one JSON text a line, all good until `exp`. */
export async function writeCorpus(file: string, source: CorpusSource, commits: number, exp: number): Promise<void> {
  const out = createWriteStream(file);
  let chunk = `${JSON.stringify(source.header(commits, exp))}\n`;
  for (const lines of [source.manifests(exp), source.commits(commits, exp)]) {
    for (const line of lines) {
      chunk += `${line}\n`;
      if (chunk.length < CHUNK) continue;
      if (!out.write(chunk)) await once(out, 'drain');
      chunk = '';
    }
  }
  out.end(chunk);
  await finished(out);
}
