import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { ConfigError } from './env.ts';
import { readTraceHeaders } from './tracing-config.ts';

/** Secrets from the environment, apart from the settings so that printing those is harmless. */
export interface Secrets {
  /** null = generated and kept in keys/ (signer/admin-token.ts) */
  readonly adminToken: string | null;
  /** of each export of traces: OTEL_EXPORTER_OTLP_HEADERS */
  readonly traceHeaders: Readonly<Record<string, string>>;
  /** one line for the operator, null if there is nothing to say */
  readonly advice: string | null;
}

/** Short of this a token can be guessed over the network. */
const GOOD_LENGTH = 16;

/**
 * ENC_ADMIN_TOKEN, or the file that ENC_ADMIN_TOKEN_FILE names, as systemd and Kubernetes hand secrets over; an empty one
 * is none. Throws ConfigError, without quoting the value, if a secret can't be what it should be.
 */
export function readSecrets(env: Readonly<Record<string, string | undefined>>): Secrets {
  const [given, file] = [env['ENC_ADMIN_TOKEN'] || null, env['ENC_ADMIN_TOKEN_FILE'] || null];
  if (given !== null && file !== null)
    throw new ConfigError('ENC_ADMIN_TOKEN and ENC_ADMIN_TOKEN_FILE are both set: leave one of them out');
  const adminToken = file === null ? given : readToken(file);
  if (adminToken !== null && !/^[!-~]{1,256}$/.test(adminToken)) {
    throw new ConfigError(
      'ENC_ADMIN_TOKEN can not be a bearer token: set it to up to 256 printable ASCII characters without spaces',
    );
  }
  const short = adminToken !== null && adminToken.length < GOOD_LENGTH;
  return {
    adminToken,
    traceHeaders: readTraceHeaders(env),
    advice: short
      ? `ENC_ADMIN_TOKEN is short: set it to ${GOOD_LENGTH} random characters or more, or leave it unset`
      : null,
  };
}

/** Group bits may be an access list's mask (systemd), so only what everybody may read is refused. */
function readToken(path: string): string | null {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw new ConfigError(`ENC_ADMIN_TOKEN_FILE can not be read: ${(error as Error).message}`);
  }
  try {
    if (process.platform !== 'win32' && (fstatSync(file).mode & 0o007) !== 0)
      throw new ConfigError(`ENC_ADMIN_TOKEN_FILE may be read by everybody: run chmod 600 ${path}, then start again`);
    return readFileSync(file, 'utf8').trim() || null;
  } finally {
    closeSync(file);
  }
}
