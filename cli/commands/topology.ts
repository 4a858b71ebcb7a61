import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Admin, Topology } from '../../client/admin.ts';
import { EncError, OutcomeUnknown, Unreachable } from '../../client/errors.ts';
import type { CliModules, Context } from '../context.ts';
import { Failed, UsageError } from '../failures.ts';
import { command, integer, run } from '../options.ts';

/** How often the change is looked at, and how long it is waited for that every shard follows, ms. */
const LOOK_MS = 250;
const FOLLOW_MS = 30_000;
/** What growing or shrinking may take unless it is said, s. */
const RESHAPE_S = 240;

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
      .requiredOption('--shards <n>', 'how many shards', count)
      .option('--if-version <n>', 'only if this version is the one in force', integer)
      .action(
        run(modules, async (context, options) => {
          const calls = await admin(context);
          const { version } = await calls.setTopology(
            options['shards'] as number,
            options['ifVersion'] as number | undefined,
          );
          await followed(context, version);
        }),
      ),
  );
  group.addCommand(
    command('grow', 'wait for new shards to be alive, then set the topology; does nothing if it is as large', [
      'node',
      'admin',
    ])
      .requiredOption('--shards <n>', 'how many shards', count)
      .option('--timeout <seconds>', 'how long all of it may take', integer, RESHAPE_S)
      .action(run(modules, grow)),
  );
  group.addCommand(
    command(
      'shrink',
      'set the topology, then wait until shards that leave have nothing open; then they may be stopped',
      ['node', 'admin'],
    )
      .requiredOption('--shards <n>', 'how many shards', count)
      .option('--timeout <seconds>', 'how long all of it may take', integer, RESHAPE_S)
      .action(run(modules, shrink)),
  );
  return group;
}

function count(text: string): number {
  const shards = integer(text);
  if (shards < 1) throw new UsageError('A cluster has at least one shard.');
  return shards;
}

/**
 * Both may be called again after anything: they look first, and what somebody else has done meanwhile counts. A router that
 * does not answer is asked again, because routers and shards may be starting.
 */
async function grow(context: Context, options: Record<string, unknown>): Promise<void> {
  const shards = options['shards'] as number;
  const seen = await reach(context, options, async (seen) => {
    if (seen.shards >= shards) return null;
    const alive = new Set(seen.members.flatMap(({ shard, alive }) => (alive ? [shard] : [])));
    const missing = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !alive.has(shard));
    if (missing.length > 0) return `no heartbeat of shard ${missing.join(', ')}`;
    await admin(context).then((calls) => calls.setTopology(shards, seen.version));
    return 'the new topology is not seen yet';
  });
  await followed(context, seen.version);
}

async function shrink(context: Context, options: Record<string, unknown>): Promise<void> {
  const shards = options['shards'] as number;
  const seen = await reach(context, options, async (seen) => {
    if (seen.shards > shards) {
      await admin(context).then((calls) => calls.setTopology(shards, seen.version));
      return 'the new topology is not seen yet';
    }
    const open = seen.members.filter(
      (member) => member.leaving && ((member.topology ?? 0) < seen.version || (member.active ?? 0) > 0),
    );
    return open.length === 0
      ? null
      : `still open on ${open.map(({ shard, active = 0 }) => `shard ${shard}: ${active}`).join(', ')}`;
  });
  show(context, seen);
}

/** Looks until `step` has nothing left to wait for (null). Throws Failed with what it last waited for when the time is over. */
async function reach(
  context: Context,
  options: Record<string, unknown>,
  step: (seen: Topology) => Promise<string | null>,
): Promise<Topology> {
  const seconds = options['timeout'] as number;
  const until = Date.now() + seconds * 1000;
  for (;;) {
    let waitsFor: string | null;
    try {
      const seen = await topology(context);
      waitsFor = await step(seen);
      if (waitsFor === null) return seen;
    } catch (error) {
      if (!passes(error)) throw error;
      waitsFor = error.message;
    }
    if (Date.now() > until) throw new Failed(`Not within ${seconds} s: ${waitsFor}.`);
    await sleep(LOOK_MS, undefined, { signal: context.signal });
  }
}

/** No router was reached, it had nobody to ask, or another operator was quicker: looking again shows what is true. */
function passes(error: unknown): error is Error {
  if (error instanceof Unreachable || error instanceof OutcomeUnknown) return true;
  return error instanceof EncError && ['unavailable', 'overloaded', 'state_mismatch'].includes(error.code);
}

async function admin(context: Context): Promise<Admin> {
  return (await context.client()).admin(context.token);
}

async function topology(context: Context): Promise<Topology> {
  return (await admin(context)).topology();
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
