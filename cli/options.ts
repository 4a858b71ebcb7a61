import { Command, InvalidArgumentError } from 'commander';
import { type CliModules, type CommonOptions, Context } from './context.ts';

type Need = 'node' | 'key' | 'trust' | 'admin';

/** A command with the options that its needs bring, `--json` always among them. */
export function command(name: string, description: string, needs: readonly Need[] = []): Command {
  const made = new Command(name).description(description).option('--json', 'print JSON, one value a line');
  if (needs.includes('node')) made.option('--remote <url>', 'the node (default: ENC_REMOTE, or http://127.0.0.1:8080)');
  if (needs.includes('key'))
    made.option('--key <name|file>', 'who you are: a key\'s name or file (default: ENC_KEY, or "default")');
  if (needs.includes('trust')) {
    made.option('--sequencer <hex>', 'believe only this sequencer (if the Manifest names none)', hex32);
    made.option('--provisioned', 'the id comes from init-with-priv; needs --sequencer');
  }
  if (needs.includes('admin')) made.option('--token <token>', 'the admin token (default: ENC_ADMIN_TOKEN)');
  return made;
}

/** Runs a command's body with a Context made of its options. */
export function run<A extends unknown[]>(
  modules: CliModules,
  body: (context: Context, options: Record<string, unknown>, ...args: A) => Promise<void>,
) {
  return async (...args: unknown[]): Promise<void> => {
    const options = args.at(-2) as Record<string, unknown>;
    await body(new Context(modules, options as CommonOptions), options, ...(args.slice(0, -2) as A));
  };
}

export function hex32(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('It has 64 lower-case hex digits.');
  return text;
}

export function integer(text: string): number {
  const n = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(n)) throw new InvalidArgumentError('It is an integer.');
  return n;
}

export function many<T>(parse: (text: string) => T): (text: string, before: T[] | undefined) => T[] {
  return (text, before) => [...(before ?? []), parse(text)];
}

/** `a=b`, or `a` alone. */
export function tag(text: string): string[] {
  const at = text.indexOf('=');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
