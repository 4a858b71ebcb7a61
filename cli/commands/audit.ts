import type { Command } from 'commander';
import { verifyFromArchive } from '../archive.ts';
import { type CliModules, checkId } from '../context.ts';
import { Failed, UsageError } from '../failures.ts';
import { command, integer, run } from '../options.ts';

/** `enc members` and `enc verify`. */
export function auditCommands(modules: CliModules): Command[] {
  return [membersCommand(modules), verifyCommand(modules)];
}

function membersCommand(modules: CliModules): Command {
  return command('members', 'show who holds which State and traits, each proved', ['node', 'key', 'trust'])
    .argument('<enclave>', 'its id')
    .action(
      run(modules, async (context, _options, id: string) => {
        const { members, asOf } = await (await context.enclave(id)).members();
        const { out } = context;
        for (const member of members) {
          const mark =
            member.proof === 'proved'
              ? out.good('proved')
              : member.proof === 'pending'
                ? out.dim('pending')
                : out.bad('differs');
          const roles = [member.state, ...member.traits].join(' ');
          out.result(`${member.id}  ${roles}  ${mark}`, member);
        }
        if (asOf !== null)
          out.note(`Proofs are as of event ${asOf}; what changed since is pending until its bundle closes.`);
        const wrong = members.filter((member) => member.proof === 'differs').length;
        if (wrong > 0)
          throw new Failed(
            `${wrong} of these do not agree with the state tree: events that this key can't read have changed them.`,
          );
      }),
    );
}

function verifyCommand(modules: CliModules): Command {
  return command('verify', 'verify a whole enclave, from its first event to its tree head', ['node', 'key', 'trust'])
    .argument('<enclave>', 'its id')
    .option('--archive <place>', 'from its archive alone, with no node: a folder, or s3://bucket/prefix')
    .option('--bundles <n>', 'refuse an archive that ends before so many bundles', integer)
    .action(
      run(modules, async (context, options, id: string) => {
        const place = options['archive'] as string | undefined;
        if (place !== undefined) return verifyFromArchive(context, checkId(id), place, options);
        if (options['bundles'] !== undefined) throw new UsageError('--bundles belongs to --archive.');
        const { out } = context;
        const enclave = await context.enclave(id);
        await enclave.trust.load();
        const before = enclave.trust.sth;
        const bar = out.progress('verifying', 'events');
        const report = await enclave
          .verify({
            signal: context.signal,
            progress: ({ events, total, perSecond }) => bar.update(events, total, `${perSecond}/s`),
          })
          .finally(() => bar.stop());
        const remembered = before ? `, consistent with the tree head of ${before.ts} bundles remembered` : '';
        const skipped =
          report.statesSkipped > 0 ? `, ${report.statesSkipped} state hashes not comparable (erased Updates)` : '';
        out.result(
          `${out.good('verified')}  ${report.events} events, ${report.bundles} bundles, ${report.open} events still open${remembered}${skipped}; ` +
            `${report.perSecond} events/s`,
          { ...report, consistent_with: before ?? null },
        );
      }),
    );
}
