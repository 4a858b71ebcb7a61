import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Topology } from '../../client/admin.ts';
import type { CliModules, Context } from '../context.ts';
import { UsageError } from '../failures.ts';
import { command, integer, run } from '../options.ts';

/** How often the change is looked at, and how long it is waited for that every shard follows, ms. */
const LOOK_MS = 250;
const FOLLOW_MS = 30_000;

/** `enc admin topology`: the shape of a cluster. */
export function topologyCommands(modules: CliModules): Command {
  const group = new Command('topology').description('the shape of a cluster (ask one of its routers)');
  group.addCommand(
    command('show', 'shards, which of them are alive, and what has still to move', ['node', 'admin']).action(
      run(modules, async (context) => show(context, await topology(context))),
    ),
    { isDefault: true },
  );
  group.addCommand(
    command('set', 'change the number of shards; enclaves move when they are used', ['node', 'admin'])
      .requiredOption('--shards <n>', 'how many shards', integer)
      .option('--if-version <n>', 'only if this version is the one in force', integer)
      .action(
        run(modules, async (context, options) => {
          const shards = options['shards'] as number;
          if (shards < 1) throw new UsageError('A cluster has at least one shard.');
          const admin = (await context.client()).admin(context.token);
          const { version } = await admin.setTopology(shards, options['ifVersion'] as number | undefined);
          await followed(context, version);
        }),
      ),
  );
  return group;
}

async function topology(context: Context): Promise<Topology> {
  return (await context.client()).admin(context.token).topology();
}

/** Waits until every shard of the new topology is alive and follows it. */
async function followed(context: Context, version: number): Promise<void> {
  const until = Date.now() + FOLLOW_MS;
  const bar = context.out.progress('shards that follow', 'shards');
  try {
    for (;;) {
      const seen = await topology(context);
      const follow = seen.members.filter(
        (member) => member.alive && !member.leaving && (member.topology ?? 0) >= version,
      ).length;
      bar.update(follow, seen.shards);
      if (follow === seen.shards || seen.version > version || Date.now() > until) return show(context, seen);
      await sleep(LOOK_MS, undefined, { signal: context.signal });
    }
  } finally {
    bar.stop();
  }
}

function show({ out }: Context, seen: Topology): void {
  const lines = seen.members.map((member) => {
    if (!member.alive) return `  shard ${member.shard}  ${out.bad('no heartbeat')}`;
    const behind = member.topology === seen.version ? '' : `, still follows version ${member.topology}`;
    if (member.leaving) {
      const left = member.active ? `${member.active} enclaves still open` : 'nothing open, it may be stopped';
      return `  shard ${member.shard}  leaving  ${left}  ${out.dim(member.url ?? '')}`;
    }
    const moving = member.guests ? `, ${member.guests} to move` : '';
    const silent = member.silent?.length ? `  ${out.bad(`no answer from its ${member.silent.join(', ')}`)}` : '';
    return `  shard ${member.shard}  ${out.good('alive')}  ${member.active} enclaves open${moving}${behind}${silent}  ${out.dim(member.url ?? '')}`;
  });
  out.result([`topology version ${seen.version}, ${seen.shards} shards`, ...lines].join('\n'), seen);
}
