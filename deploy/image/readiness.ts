import { makeRouterConfig, readRouterEnv } from '../../router/config/router-config.ts';
import { makeConfig } from '../../shard/config/config.ts';
import { readEnv } from '../../shard/config/env.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** An answer takes no longer on a healthy node, ms. */
const ANSWER_MS = 3000;
/** What a server that listens everywhere is asked on. */
const EVERYWHERE: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

export interface Readiness {
  readonly ready: boolean;
  /** one line for whoever looks at the container */
  readonly says: string;
}

/**
 * Where the operator port of a role is, as that role itself would read its settings; null if there is nothing to ask: the
 * command line has no port, and a port may be off or any free one. Throws ConfigError as the role would.
 */
export function operatorPort(role: string, args: readonly string[], env: Env): URL | null {
  const operator = role === 'router' ? routerOperator(args, env) : role === 'enc' ? null : shardOperator(args, env);
  if (!operator || operator.port === 0) return null;
  const host = EVERYWHERE[operator.host] ?? operator.host;
  return new URL(`http://${host.includes(':') ? `[${host}]` : host}:${operator.port}/`);
}

/** Asks whether what runs as `role` is ready. A role without a port to ask counts as ready: it runs. */
export async function readiness(role: string, args: readonly string[], env: Env): Promise<Readiness> {
  try {
    const operator = operatorPort(role, args, env);
    if (!operator) return { ready: true, says: 'nothing to ask' };
    const answer = await fetch(new URL('readyz', operator), { signal: AbortSignal.timeout(ANSWER_MS) });
    return { ready: answer.ok, says: await answer.text() };
  } catch (error) {
    return { ready: false, says: error instanceof Error ? error.message : String(error) };
  }
}

function shardOperator(args: readonly string[], env: Env) {
  const read = readEnv(env, args);
  return read.kind === 'help' ? null : makeConfig(read.raw).operator;
}

function routerOperator(args: readonly string[], env: Env) {
  const read = readRouterEnv(env, args);
  return read.kind === 'help' ? null : makeRouterConfig(read.raw).operator;
}
