/** Certificates of tests, made by openssl in a folder of their own. Where it is missing, `missing` says so: a test's `skip`. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** false when openssl is here, else the sentence for `skip`. */
export const missing: string | false = works() ? false : 'openssl is not installed (Debian: openssl)';

/** PEM files: what signed a certificate, the certificate, and its key. */
export interface Certificate {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** An authority that is good for this machine's own address, and what it has signed. */
export class Authority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'enc-certificates-'));
  #signed = 0;

  constructor() {
    this.#request('ca', ['-x509', '-subj', '/CN=authority of tests', '-days', '1']);
  }

  get ca(): string {
    return join(this.#folder, 'ca.pem');
  }

  /** A certificate of servers and clients alike; `host`: whose it is, as openssl writes it. */
  sign(host = 'IP:127.0.0.1'): Certificate {
    const name = `signed-${++this.#signed}`;
    this.#request(name, ['-subj', `/CN=${name}`]);
    const extensions = join(this.#folder, `${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${host}\n`);
    const [cert, key] = [join(this.#folder, `${name}.pem`), join(this.#folder, `${name}.key`)];
    const caKey = join(this.#folder, 'ca.key');
    openssl(
      'x509',
      '-req',
      '-in',
      cert,
      '-CA',
      this.ca,
      '-CAkey',
      caKey,
      '-days',
      '1',
      '-extfile',
      extensions,
      '-out',
      cert,
    );
    return { ca: this.ca, cert, key };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A key, and a request for its certificate, or that itself. */
  #request(name: string, args: readonly string[]): void {
    const [out, key] = [join(this.#folder, `${name}.pem`), join(this.#folder, `${name}.key`)];
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      out,
      ...args,
    );
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}

function works(): boolean {
  try {
    openssl('version');
    return true;
  } catch {
    return false;
  }
}
