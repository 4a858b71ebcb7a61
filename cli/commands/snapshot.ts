import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { checkSnapshot, type SnapshotReport } from '../../client/snapshot.ts';
import { type CliModules, type Context, checkId } from '../context.ts';
import { UsageError } from '../failures.ts';
import { command, run } from '../options.ts';
import type { Progress } from '../output.ts';

/** `enc snapshot` and `enc restore`: enclaves as files, checked on the way, in bounded memory. */
export function snapshotCommands(modules: CliModules): Command[] {
  return [
    command('snapshot', 'save an enclave as a file', ['node', 'key', 'trust', 'admin'])
      .argument('<enclave>', 'its id')
      .argument('[file]', 'where to; default: <enclave>.enc')
      .option('--pull', 'make it from what --key can read, which must be everything; no admin token is needed')
      .action(
        run(modules, async (context, options, id: string, file?: string) => {
          const path = file ?? `${checkId(id)}.enc`;
          const source = options['pull'] === true ? await pulled(context, id) : await downloaded(context, id);
          const report = await save(context, id, path, source, options['sequencer'] as string | undefined);
          const { size } = await stat(path);
          context.out.result(
            `${context.out.good('saved')}  ${path}  ${report.events} events, ${report.bundles} bundles, ${size} bytes`,
            { ...report, path, bytes: size },
          );
        }),
      ),
    command('restore', 'host an enclave from its file', ['node', 'trust', 'admin'])
      .argument('<enclave>', 'its id')
      .argument('<file>', 'its snapshot')
      .action(
        run(modules, async (context, options, id: string, path: string) => {
          const sequencer = options['sequencer'] as string | undefined;
          const body = await upload(context, path);
          const admin = (await context.client()).admin(context.token);
          const answer = await admin.restore(checkId(id), body, { sequencer, signal: context.signal });
          context.out.result(`${context.out.good('restored')}  ${id}`, { enclave: id, answer });
        }),
      ),
  ];
}

async function pulled(context: Context, id: string): Promise<AsyncIterable<Uint8Array>> {
  return (await context.enclave(id)).copy(context.signal);
}

async function downloaded(context: Context, id: string): Promise<AsyncIterable<Uint8Array>> {
  const stream = await (await context.client()).admin(context.token).snapshot(checkId(id), context.signal);
  return stream as unknown as AsyncIterable<Uint8Array>;
}

/** Checks a snapshot while it is written; the file appears under its name only when it is whole and good. */
async function save(
  context: Context,
  id: string,
  path: string,
  source: AsyncIterable<Uint8Array>,
  sequencer?: string,
): Promise<SnapshotReport> {
  const partial = `${path}.partial`;
  const bar = context.out.progress('checking', 'events');
  try {
    const checked = checkSnapshot(source, {
      enclave: id,
      sequencer,
      secp: await context.secp(),
      progress: (events, total) => bar.update(events, total),
    });
    let report: SnapshotReport | undefined;
    async function* bytes(): AsyncGenerator<Uint8Array> {
      report = yield* checked;
    }
    await pipeline(Readable.from(bytes()), createWriteStream(partial, { mode: 0o600 }));
    await rename(partial, path);
    return report as unknown as SnapshotReport;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    bar.stop();
  }
}

/** A file as a request body, with a bar. */
export async function upload(context: Context, path: string): Promise<ReadableStream<Uint8Array>> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new UsageError(`There is no file ${path}.`);
  const bar: Progress = context.out.progress('sending', 'bytes');
  let sent = 0;
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of createReadStream(path)) {
        sent += (chunk as Uint8Array).length;
        bar.update(sent, found?.size ?? sent);
        yield chunk as Uint8Array;
      }
    } finally {
      bar.stop();
    }
  }
  return Readable.toWeb(Readable.from(bytes())) as unknown as ReadableStream<Uint8Array>;
}
