import type { Command } from 'commander';
import type { EncEvent, Filter, Range } from '../../client/types.ts';
import type { CliModules, Context } from '../context.ts';
import { UsageError } from '../failures.ts';
import { jsonOf } from '../input.ts';
import { command, hex32, integer, many, run, tag } from '../options.ts';

/** `enc query` and `enc pull`: events, each one checked before it is printed. */
export function readCommands(modules: CliModules): Command[] {
  return [queryCommand(modules), pullCommand(modules)];
}

function queryCommand(modules: CliModules): Command {
  return command('query', 'find events', ['node', 'key', 'trust'])
    .argument('<enclave>', 'its id')
    .option('--id <hex>', 'event id; repeat for more', many(hex32))
    .option('--type <type>', 'event type; repeat for more', many(String))
    .option('--from <hex>', 'author; repeat for more', many(hex32))
    .option(
      '--seq <n|a..b>',
      'seq; a range with .. (either end may be left out); repeat single ones for more',
      many(place),
    )
    .option('--time <ms|a..b>', 'timestamp, as --seq', many(place))
    .option('--tag <a[=b]>', 'a tag by name, or by name and value; repeat for more', many(tag))
    .option('--lane <n>', 'lane', integer)
    .option('--limit <n>', 'at most so many (1–1000, default 100)', integer)
    .option('--reverse', 'newest first')
    .option('--prove-status', 'have "updated" and "deleted" proved by the state tree')
    .option('--filter <json>', 'a filter as PROTOCOL §9 writes it, instead of the options above; @file')
    .action(
      run(modules, async (context, options, id: string) => {
        const filter =
          options['filter'] === undefined
            ? filterFrom(options)
            : ((await jsonOf(options['filter'] as string, context.stdin)) as Filter);
        const events = await (await context.enclave(id)).query(filter, {
          proveStatus: options['proveStatus'] === true,
          signal: context.signal,
        });
        for (const event of events) print(context, event);
        if (events.length === 0) context.out.note('Nothing that this key may read matches.');
      }),
    );
}

function pullCommand(modules: CliModules): Command {
  return command('pull', 'read all events in order', ['node', 'key', 'trust'])
    .argument('<enclave>', 'its id')
    .option('--after <seq>', 'begin behind this seq', integer, -1)
    .option('--follow', 'go on with new events until stopped')
    .option('--complete', 'this key reads everything: fail if an event is missing')
    .action(
      run(modules, async (context, options, id: string) => {
        const enclave = await context.enclave(id);
        const follow = options['follow'] === true;
        try {
          const events = enclave.pull({
            afterSeq: options['after'] as number,
            follow,
            complete: options['complete'] === true,
            signal: context.signal,
          });
          for await (const event of events) print(context, event);
        } catch (error) {
          if (!(follow && context.signal.aborted)) throw error;
        }
      }),
    );
}

function print(context: Context, event: EncEvent): void {
  const { out } = context;
  const time = new Date(event.timestamp).toISOString();
  const status = event.status ? ` ${out.bad(event.status)}` : '';
  const content = event.content_hash ? out.dim('(erased)') : JSON.stringify(event.content);
  out.result(
    `${String(event.seq).padStart(6)}  ${out.dim(time)}  ${event.from.slice(0, 8)}  ${out.good(event.type)}${status}  ${content}`,
    event,
  );
}

type Place = number | Range;

function place(text: string): Place {
  const range = /^(-?\d*)\.\.(-?\d*)$/.exec(text);
  if (!range) return integer(text);
  const [, start, end] = range;
  return { ...(start ? { start_at: integer(start) } : {}), ...(end ? { end_at: integer(end) } : {}) };
}

function places(given: Place[] | undefined, option: string): number | number[] | Range | undefined {
  if (given === undefined) return undefined;
  const [first] = given;
  if (given.length === 1) return first;
  const numbers = given.filter((one): one is number => typeof one === 'number');
  if (numbers.length !== given.length)
    throw new UsageError(`Give ${option} once with a range, or several times with single values.`);
  return numbers;
}

function filterFrom(options: Record<string, unknown>): Filter {
  const tags: Record<string, string[] | true> = {};
  for (const [name, value] of (options['tag'] as [string, string?][] | undefined) ?? []) {
    const before = tags[name];
    tags[name] = value === undefined || before === true ? true : [...(before ?? []), value];
  }
  const filter: Record<string, unknown> = {
    id: options['id'],
    type: options['type'],
    from: options['from'],
    seq: places(options['seq'] as Place[] | undefined, '--seq'),
    timestamp: places(options['time'] as Place[] | undefined, '--time'),
    tags: Object.keys(tags).length > 0 ? tags : undefined,
    lane: options['lane'],
    limit: options['limit'],
    reverse: options['reverse'],
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as Filter;
}
