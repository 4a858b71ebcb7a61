import { GetObjectCommand, PutObjectCommand, S3Client, type S3ServiceException } from '@aws-sdk/client-s3';
import { ARCHIVE_OBJECT_BYTES, ArchiveDamaged } from '../../../protocol/archive-object.ts';
import { type ByteRange, type ObjectStore, StoreUnavailable, zero } from './object-store.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** '' or a path that ends in / */
  readonly prefix: string;
  /** a whole call, repeats included, ms */
  readonly timeout?: number;
  /** Instead of what the AWS environment says: tests give them. */
  readonly client?: ConstructorParameters<typeof S3Client>[0];
}

const TIMEOUT_MS = 60_000;
const CONNECT_MS = 5_000;
/** Somebody else erases in the same object meanwhile: more often than this nobody does. */
const ERASE_ATTEMPTS = 10;

/**
 * Objects of an S3 bucket. `create` is a PutObject with If-None-Match: *, `erase` one with If-Match and the ETag of what
 * was read. Endpoint, region and credentials come from the AWS environment, as the SDK reads it.
 */
export class S3Store implements ObjectStore {
  readonly name: string;
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #timeout: number;

  constructor(options: S3StoreOptions) {
    this.#bucket = options.bucket;
    this.#prefix = options.prefix;
    this.#timeout = options.timeout ?? TIMEOUT_MS;
    this.name = `s3://${options.bucket}/${options.prefix}`;
    this.#client = new S3Client({
      // Every server knows this form, also those behind one host name.
      forcePathStyle: true,
      maxAttempts: 3,
      requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: this.#timeout },
      ...options.client,
    });
  }

  async create(name: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#put(name, bytes, { IfNoneMatch: '*' }).then(
      () => 'created',
      (error: S3ServiceException) => {
        // Perhaps it is our own, whose answer was lost: the caller compares.
        if (statusOf(error) === 412) return 'exists';
        throw this.#unavailable('can not be written', error);
      },
    );
  }

  async get(name: string): Promise<Uint8Array | null> {
    return (await this.#get(name))?.bytes ?? null;
  }

  async erase(name: string, ranges: readonly ByteRange[]): Promise<void> {
    for (let attempt = 0; attempt < ERASE_ATTEMPTS; attempt++) {
      const found = await this.#get(name);
      if (found === null) return;
      const { bytes, etag } = found;
      if (ranges.every(({ offset, length }) => bytes.subarray(offset, offset + length).every((byte) => byte === 0)))
        return;
      zero(bytes, ranges);
      try {
        return void (await this.#put(name, bytes, { IfMatch: etag }));
      } catch (error) {
        const status = statusOf(error);
        // 409: two conditional writes met. 404: it went away.
        if (status !== 412 && status !== 409 && status !== 404) throw this.#unavailable('can not be erased', error);
      }
    }
    throw this.#unavailable('can not be erased', new Error('it changes all the time'));
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #get(name: string): Promise<{ bytes: Uint8Array; etag: string } | null> {
    try {
      const answer = await this.#client.send(new GetObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + name }), {
        abortSignal: AbortSignal.timeout(this.#timeout),
      });
      if ((answer.ContentLength ?? 0) > ARCHIVE_OBJECT_BYTES) {
        (answer.Body as { destroy?: () => void } | undefined)?.destroy?.();
        throw new ArchiveDamaged('it is larger than any archived bundle');
      }
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0);
      return { bytes, etag: answer.ETag ?? '' };
    } catch (error) {
      if (error instanceof ArchiveDamaged) throw error;
      if ((error as Error).name === 'NoSuchKey') return null;
      throw this.#unavailable('can not be read', error);
    }
  }

  async #put(
    name: string,
    bytes: Uint8Array,
    condition: { readonly IfNoneMatch: '*' } | { readonly IfMatch: string },
  ): Promise<unknown> {
    return this.#client.send(
      new PutObjectCommand({
        Bucket: this.#bucket,
        Key: this.#prefix + name,
        Body: bytes,
        ContentType: 'application/octet-stream',
        ...condition,
      }),
      { abortSignal: AbortSignal.timeout(this.#timeout) },
    );
  }

  #unavailable(what: string, error: unknown): StoreUnavailable {
    return new StoreUnavailable(`The archive in ${this.name} ${what}`, error);
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as S3ServiceException).$metadata?.httpStatusCode;
}
