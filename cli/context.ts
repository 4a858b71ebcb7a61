import { homedir } from 'node:os';
import { join } from 'node:path';
import { EncClient } from '../client/client.ts';
import type { Enclave } from '../client/enclave.ts';
import type { Key } from '../client/keys.ts';
import { FileHeads } from '../client/node-heads.ts';
import type { Secp } from '../client/secp.ts';
import { UsageError } from './failures.ts';
import { KeyFiles } from './key-files.ts';
import { Output, type Streams } from './output.ts';

/** What the environment says; read once, in main.ts. */
export interface CliConfig {
  readonly remote: string;
  readonly key: string;
  readonly adminToken: string | undefined;
  /** data folder of a node on this machine */
  readonly data: string;
  readonly noColor: boolean;
  /** Folder of `keys/` and `heads/`. */
  readonly home: string;
}

export function configFrom(env: NodeJS.ProcessEnv): CliConfig {
  return {
    remote: env['ENC_REMOTE'] || 'http://127.0.0.1:8080',
    key: env['ENC_KEY'] || 'default',
    adminToken: env['ENC_ADMIN_TOKEN'] || undefined,
    data: env['ENC_DATA'] || './data',
    noColor: Boolean(env['NO_COLOR']),
    home: join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'enc'),
  };
}

/** ms */
const PATIENCE = 4_000;

export interface CommonOptions {
  readonly json?: boolean;
  readonly remote?: string;
  readonly key?: string;
  readonly token?: string;
  readonly sequencer?: string;
  readonly provisioned?: boolean;
}

export interface CliModules {
  readonly config: CliConfig;
  readonly streams: Streams;
  readonly stdin: NodeJS.ReadStream;
  /** Loaded on first use: it takes time that `enc --help` need not spend. */
  readonly secp: () => Promise<Secp>;
  readonly signal: AbortSignal;
}

/** One run of one command: its options, and what they make of keys, node and output. */
export class Context {
  readonly out: Output;
  readonly config: CliConfig;
  readonly signal: AbortSignal;
  readonly stdin: NodeJS.ReadStream;
  readonly remote: string;
  readonly token: string | undefined;
  private readonly modules: CliModules;
  private readonly options: CommonOptions;

  constructor(modules: CliModules, options: CommonOptions) {
    this.modules = modules;
    this.options = options;
    this.config = modules.config;
    this.signal = modules.signal;
    this.stdin = modules.stdin;
    this.remote = options.remote ?? modules.config.remote;
    this.token = options.token ?? modules.config.adminToken;
    this.out = new Output(modules.streams, { json: options.json === true, noColor: modules.config.noColor });
  }

  secp(): Promise<Secp> {
    return this.modules.secp();
  }

  async keys(): Promise<KeyFiles> {
    return new KeyFiles(join(this.config.home, 'keys'), await this.secp());
  }

  async key(): Promise<Key> {
    return (await (await this.keys()).load(this.options.key ?? this.config.key)).key;
  }

  /** Reads are repeated for a few seconds only: a person waits. Commits until their exp, and the person is told so. */
  async client(): Promise<EncClient> {
    let told = false;
    const onRetry = (error: Error, until: number): void => {
      if (!told && until - Date.now() > PATIENCE)
        this.out.note(`${error.message} Trying again until ${new Date(until).toISOString()}.`);
      told ||= until - Date.now() > PATIENCE;
    };
    return new EncClient(this.remote, {
      secp: await this.secp(),
      store: new FileHeads(join(this.config.home, 'heads')),
      retryMs: PATIENCE,
      onRetry,
    });
  }

  /** The enclave as the chosen key sees it. */
  async enclave(id: string): Promise<Enclave> {
    const { sequencer, provisioned } = this.options;
    return (await this.client()).enclave(checkId(id), { key: await this.key(), sequencer, provisioned });
  }

  /** The enclave as anybody sees it. */
  async publicEnclave(id: string): Promise<Enclave> {
    const { sequencer, provisioned } = this.options;
    return (await this.client()).enclave(checkId(id), { sequencer, provisioned });
  }
}

export function checkId(id: string): string {
  if (!/^[0-9a-f]{64}$/.test(id)) throw new UsageError(`"${id}" is no enclave id: it has 64 lower-case hex digits.`);
  return id;
}
