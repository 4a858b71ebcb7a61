import { Command, CommanderError, Option } from 'commander';
import { flagOf, type Setting } from './setting.ts';
import { type RawSettings, SETTINGS } from './settings.ts';

/** A mistake of whoever starts the node: the message is one sentence that says what to set. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

export type ReadSettings<Raw> =
  | { readonly kind: 'settings'; readonly raw: Raw }
  | { readonly kind: 'help'; readonly text: string };

type Table = Readonly<Record<string, Setting<unknown>>>;

/** What a process is called in its help. */
export interface Program {
  /** how it is started */
  readonly name: string;
  readonly description: string;
  /** secrets that come from the environment, one a line */
  readonly secrets: string;
}

const SHARD: Program = {
  name: 'npm start --',
  description: 'Runs an ENC node.',
  secrets:
    '  ENC_ADMIN_TOKEN       bearer token of the admin calls (default: one is generated and kept, mode 0600, in keys/admin-token)\n' +
    '  ENC_ADMIN_TOKEN_FILE  a file that holds it',
};

/** The settings of a shard, see readSettings. */
export function readEnv(
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): ReadSettings<RawSettings> {
  return readSettings(SETTINGS, SHARD, env, argv);
}

/**
 * Reads every setting: the flag, else the environment variable, else the default. An empty variable counts as not set.
 * Throws ConfigError naming the flag or variable, also for flags that do not exist. Touches nothing but its arguments.
 * `argv`: the arguments alone, as in process.argv.slice(2).
 */
export function readSettings<const T extends Table>(
  table: T,
  program: Program,
  env: Readonly<Record<string, string | undefined>>,
  argv: readonly string[],
): ReadSettings<{ readonly [Name in keyof T]: T[Name] extends Setting<infer V> ? V : never }> {
  const command = describe(table, program);
  try {
    command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed') return { kind: 'help', text: help(command, program) };
    throw new ConfigError(sentence(error.message));
  }
  const flags = command.opts<Record<string, string | undefined>>();
  const raw: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(table)) {
    const flag = flagOf(setting.env);
    const given = flags[camelCase(flag)];
    const text = given ?? (env[setting.env] || undefined);
    raw[name] = text === undefined ? setting.default : read(setting, given === undefined ? setting.env : flag, text);
  }
  return { kind: 'settings', raw: raw as never };
}

function read(setting: Setting<unknown>, source: string, text: string): unknown {
  const value = setting.kind.parse(text);
  if (value === undefined)
    throw new ConfigError(`${source} is ${JSON.stringify(text.slice(0, 80))}: set it to ${setting.kind.wanted}`);
  return value;
}

function describe(table: Table, { name, description }: Program): Command {
  const command = new Command(name)
    .description(`${description} Each setting is a flag or an environment variable; the flag wins.`)
    .helpOption('--help', 'show this text')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const setting of Object.values(table)) {
    const shown = setting.shown ?? String(setting.default);
    const option = new Option(
      `${flagOf(setting.env)} <${setting.kind.word}>`,
      `${setting.help} (${setting.env}, default: ${shown})`,
    );
    command.addOption(option);
  }
  return command;
}

function help(command: Command, { secrets }: Program): string {
  return `${command.helpInformation()}
Secrets come from the environment only:
${secrets}

Traces are sent where the usual OTEL_… variables say (docs/tracing.md).
`;
}

/** "error: unknown option '--prot'\n(Did you mean --port?)" → one sentence */
function sentence(message: string): string {
  return `${message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')}; --help lists all settings`;
}

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}
