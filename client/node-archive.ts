import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { GetObjectCommandOutput, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { type ArchivePlace, readArchivePlace } from '../protocol/archive-name.ts';
import { ARCHIVE_OBJECT_BYTES, ArchiveDamaged } from '../protocol/archive-object.ts';
import type { ArchiveSource } from './archive.ts';
import { Unreachable } from './errors.ts';

/** A whole call to S3, repeats included, and the connecting, ms. */
const TIMEOUT_MS = 60_000;
const CONNECT_MS = 5_000;

/**
 * The archive at a folder or at `s3://bucket/prefix`, for reading. For Node. Endpoint, region and credentials of S3 come
 * from the AWS environment, as the SDK reads it. Throws TypeError on another form of place.
 */
export async function openArchiveSource(text: string): Promise<ArchiveSource> {
  const place = readArchivePlace(text);
  if (place === null) throw new TypeError('An archive is a folder, or s3://bucket/prefix.');
  if (place.kind === 'folder') return folder(place.path);
  return s3(place);
}

function folder(root: string): ArchiveSource {
  return {
    async *list(prefix) {
      const names = await readdir(join(root, prefix)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw unreachable(root, error);
      });
      for (const name of names.sort()) yield prefix + name;
    },
    async get(name) {
      try {
        const file = await open(join(root, name), 'r');
        try {
          checkSize((await file.stat()).size);
          return await file.readFile();
        } finally {
          await file.close();
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error instanceof ArchiveDamaged ? error : unreachable(root, error);
      }
    },
  };
}

/** The SDK is loaded only where it is needed: it is large. */
async function s3({ bucket, prefix }: Extract<ArchivePlace, { kind: 's3' }>): Promise<ArchiveSource> {
  const sdk = await import('@aws-sdk/client-s3');
  const client: S3Client = new sdk.S3Client({
    // Every server knows this form, also those behind one host name.
    forcePathStyle: true,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: TIMEOUT_MS },
  });
  const where = `s3://${bucket}/${prefix}`;
  const deadline = () => ({ abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
  return {
    async *list(folderName) {
      for (let token: string | undefined; ; ) {
        const page = await client
          .send(
            new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: prefix + folderName, ContinuationToken: token }),
            deadline(),
          )
          .catch((error: unknown) => {
            throw unreachable(where, error);
          });
        for (const { Key } of page.Contents ?? []) if (Key !== undefined) yield Key.slice(prefix.length);
        token = page.NextContinuationToken;
        if (token === undefined) return;
      }
    },
    async get(name) {
      try {
        const answer: GetObjectCommandOutput = await client.send(
          new sdk.GetObjectCommand({ Bucket: bucket, Key: prefix + name }),
          deadline(),
        );
        checkSize(answer.ContentLength ?? 0);
        return (await answer.Body?.transformToByteArray()) ?? new Uint8Array(0);
      } catch (error) {
        if ((error as S3ServiceException).name === 'NoSuchKey') return null;
        throw error instanceof ArchiveDamaged ? error : unreachable(where, error);
      }
    },
  };
}

function checkSize(bytes: number): void {
  if (bytes > ARCHIVE_OBJECT_BYTES) throw new ArchiveDamaged('it is larger than any archived bundle');
}

function unreachable(where: string, cause: unknown): Unreachable {
  const why = cause instanceof Error ? cause.message || cause.name : String(cause);
  return new Unreachable(`The archive ${where} can not be read: ${why}`, { cause });
}
