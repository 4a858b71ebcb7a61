import { Command } from 'commander';
import type { CliModules } from '../context.ts';
import { readAll, textOf } from '../input.ts';
import { command, run } from '../options.ts';

/** `enc key`: secret keys in files. */
export function keyCommands(modules: CliModules): Command {
  const group = new Command('key').description('make, list, show and import keys');
  group.addCommand(
    command('new', 'make a key')
      .argument('[name]', 'its name', 'default')
      .action(
        run(modules, async (context, _options, name: string) => {
          const { id } = await (await context.keys()).create(name);
          context.out.result(`${name}  ${id}`, { name, id });
        }),
      ),
  );
  group.addCommand(
    command('list', 'list the keys you have').action(
      run(modules, async (context) => {
        const keys = await (await context.keys()).list();
        if (keys.length === 0) context.out.note('You have no keys yet. Make one with: enc key new');
        for (const { name, id } of keys) context.out.result(`${name}  ${id}`, { name, id });
      }),
    ),
  );
  group.addCommand(
    command('show', "show a key's identity")
      .argument('[name|file]', 'which key', modules.config.key)
      .option('--secret', 'print the secret itself: who sees it can sign as you')
      .action(
        run(modules, async (context, options, which: string) => {
          const keys = await context.keys();
          const { name, key } = await keys.load(which);
          if (options['secret'] === true)
            context.out.result(await keys.secret(which), { name, id: key.id, secret: await keys.secret(which) });
          else context.out.result(`${name}  ${key.id}`, { name, id: key.id });
        }),
      ),
  );
  group.addCommand(
    command('import', 'keep a secret of 64 hex digits as a key')
      .argument('<name>', 'the name to keep it under')
      .argument('[file]', 'a file that holds it; without one, standard input', '-')
      .action(
        run(modules, async (context, _options, name: string, file: string) => {
          const hex = file === '-' ? await readAll(context.stdin) : await textOf(`@${file}`, context.stdin);
          const { id } = await (await context.keys()).import(name, hex);
          context.out.result(`${name}  ${id}`, { name, id });
        }),
      ),
  );
  return group;
}
