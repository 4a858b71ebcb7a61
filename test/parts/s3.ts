/**
 * A real S3 server for tests, on loopback, in a folder of its own: versitygw, or where it is missing moto. Where neither
 * is installed, `s3Missing` says so: pass it as a test's `skip`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { findProgram } from './find-program.ts';
import { waitFor } from './wait-for.ts';

const START_MS = 20_000;
export const S3_BUCKET = 'enc-archive';
const KEYS = { accessKeyId: 'test-access', secretAccessKey: 'test-secret-0123456789' };

const gateway = findProgram('versitygw');
const moto = gateway === null ? findProgram('moto_server') : null;

/** false when a server is here, else the sentence for `skip`. */
export const s3Missing: string | false =
  gateway === null && moto === null
    ? 'no S3 server (go install github.com/versity/versitygw/cmd/versitygw@v1.8.0, or pip install moto[server,s3])'
    : false;
/** moto takes any secret. */
export const s3SecretsMissing: string | false =
  s3Missing || (gateway === null ? 'moto takes any secret: this needs versitygw' : false);

const running = new Set<ChildProcess>();
// Whatever ends the tests, no server stays behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** One server with one bucket: its process may die and start again, its folder and port stay. */
export class S3Server {
  readonly port: number;
  readonly folder: string;
  #child: ChildProcess | null = null;

  private constructor(port: number) {
    this.port = port;
    this.folder = mkdtempSync(join(tmpdir(), 'enc-s3-'));
    mkdirSync(join(this.folder, 'data'));
  }

  static async start(): Promise<S3Server> {
    const server = new S3Server(await freePort());
    await server.start();
    const client = new S3Client(server.client());
    await waitFor('a bucket', START_MS, () => client.send(new CreateBucketCommand({ Bucket: S3_BUCKET })));
    client.destroy();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Options for the SDK's client. */
  client(secretAccessKey = KEYS.secretAccessKey) {
    return {
      endpoint: this.url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { ...KEYS, secretAccessKey },
    };
  }

  /** The environment in which the SDK finds this server by itself. */
  env(secret = KEYS.secretAccessKey): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: secret,
    };
  }

  async start(): Promise<void> {
    const child =
      gateway === null
        ? spawn(moto as string, ['-H', '127.0.0.1', '-p', String(this.port)], { cwd: this.folder, stdio: 'ignore' })
        : spawn(gateway, ['--port', `127.0.0.1:${this.port}`, '--quiet', 'posix', join(this.folder, 'data')], {
            cwd: this.folder,
            stdio: 'ignore',
            env: {
              ...process.env,
              ROOT_ACCESS_KEY: KEYS.accessKeyId,
              ROOT_SECRET_KEY: KEYS.secretAccessKey,
            },
          });
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.once('error', () => running.delete(child));
    this.#child = child;
    await waitFor(`S3 on port ${this.port}`, START_MS, async () => {
      if (child.exitCode !== null) throw new Error('the S3 server ended');
      return (await fetch(this.url)).status > 0;
    });
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
