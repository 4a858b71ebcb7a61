import { SharedArray } from 'k6/data';
import http from 'k6/http';
import { CORPUS, fromShell } from './env.ts';

/** First line of a corpus (bench/corpus-source.ts). */
export interface CorpusHeader {
  readonly format: 'enc-corpus';
  readonly v: 1;
  readonly enclaves: number;
  /** in a file; a server has as many as are asked for */
  readonly commits: number | null;
  /** Unix ms: from then on nodes answer `expired`; null for a server, which signs when it is asked */
  readonly good_until: number | null;
  /** secret key of an identity that may read every enclave of the corpus, hex32 */
  readonly reader: string;
}

/** Which part of a corpus one scenario takes: `perPost` commits for each of its iterations, from `from` on. */
export interface Share {
  readonly from: number;
  readonly perPost: number;
}

/** Where commits come from. */
export interface Supply {
  readonly header: CorpusHeader;
  /** One for each enclave, signed. */
  manifests(): string[];
  /** The commits of one iteration: no two iterations get the same. */
  take(share: Share, iteration: number): string[];
}

/** Call it in the init context: k6 opens no files later. */
export function openSupply(): Supply {
  return /^https?:/.test(CORPUS) ? new ServedSupply(CORPUS.replace(/\/+$/, '')) : new FileSupply(CORPUS);
}

/** One copy of the file for all VUs. */
class FileSupply implements Supply {
  readonly header: CorpusHeader;
  readonly #lines: readonly string[];
  readonly #first: number;

  constructor(file: string) {
    this.#lines = new SharedArray(file, () => linesOf(file));
    this.header = headerOf(this.#lines[0]);
    this.#first = 1 + this.header.enclaves;
  }

  manifests(): string[] {
    return Array.from({ length: this.header.enclaves }, (_, i) => this.#line(1 + i));
  }

  take(share: Share, iteration: number): string[] {
    const from = this.#first + share.from + iteration * share.perPost;
    return Array.from({ length: share.perPost }, (_, i) => this.#line(from + i));
  }

  #line(at: number): string {
    const line = this.#lines[at];
    if (line === undefined) throw new Error('the corpus has come to its end');
    return line;
  }
}

/** Each VU fetches some at a time and uses them up. */
class ServedSupply implements Supply {
  readonly #url: string;
  #header: CorpusHeader | null = null;
  #ready: string[] = [];

  /** Commits of one call: a second's worth for a busy VU. */
  static readonly PAGE = 200;

  constructor(url: string) {
    this.#url = url;
  }

  get header(): CorpusHeader {
    this.#header ??= headerOf(this.#lines('/')[0]);
    return this.#header;
  }

  manifests(): string[] {
    return this.#lines('/manifests');
  }

  take({ perPost }: Share): string[] {
    while (this.#ready.length < perPost) this.#ready.push(...this.#lines(`/commits?count=${ServedSupply.PAGE}`));
    return this.#ready.splice(0, perPost);
  }

  #lines(path: string): string[] {
    const { status, body } = http.get(this.#url + path, { tags: { name: 'corpus' }, responseType: 'text' });
    if (status !== 200) throw new Error(`the corpus server answered ${status} on ${path}`);
    return (body ?? '').trimEnd().split('\n');
  }
}

function linesOf(file: string): string[] {
  try {
    return open(fromShell(file)).trimEnd().split('\n');
  } catch (error) {
    throw new Error(`There is no corpus in ${file}: npm run bench -- corpus (${error})`);
  }
}

function headerOf(line: string | undefined): CorpusHeader {
  const header = JSON.parse(line ?? 'null') as CorpusHeader | null;
  if (header?.format !== 'enc-corpus' || header.v !== 1)
    throw new Error(`${CORPUS} is no corpus: npm run bench -- corpus`);
  return header;
}
