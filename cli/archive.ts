import { join } from 'node:path';
import { verifyArchive } from '../client/archive.ts';
import { openArchiveSource } from '../client/node-archive.ts';
import { FileHeads } from '../client/node-heads.ts';
import type { Context } from './context.ts';

/** `enc verify --archive`: needs neither node nor key. What is remembered of the enclave is held against it. */
export async function verifyFromArchive(
  context: Context,
  enclave: string,
  place: string,
  options: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { out } = context;
  const source = await openArchiveSource(place);
  const remembered = await new FileHeads(join(context.config.home, 'heads')).get(enclave);
  const bar = out.progress('verifying', 'bundles');
  const report = await verifyArchive(source, {
    enclave,
    sequencer: options['sequencer'] as string | undefined,
    bundles: options['bundles'] as number | undefined,
    remembered,
    secp: await context.secp(),
    signal: context.signal,
    progress: ({ bundles, totalBundles, perSecond }) => bar.update(bundles, totalBundles, `${perSecond} events/s`),
  }).finally(() => bar.stop());
  const { events, bundles, erased, consistentWith, perSecond } = report;
  const known =
    consistentWith === null ? '' : `, consistent with the tree head of ${consistentWith} bundles remembered`;
  const gone = erased === 0 ? '' : `, ${erased} contents erased by Deletes`;
  const megabytes = (report.bytes / 1e6).toFixed(1);
  out.result(
    `${out.good('verified')}  ${events} events, ${bundles} bundles${known}${gone}; ${megabytes} MB in ${report.seconds.toFixed(1)} s, ${perSecond} events/s`,
    report,
  );
  if (!report.named && options['sequencer'] === undefined && remembered === undefined)
    out.note(
      `The Manifest names no sequencer: that ${report.sequencer} is the right one, only you can know (--sequencer).`,
    );
  const behind = (remembered?.sth?.ts ?? 0) - bundles;
  if (behind > 0) out.note(`It ends ${behind} bundles before the newest tree head remembered.`);
}
