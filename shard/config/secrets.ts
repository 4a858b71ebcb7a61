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

/** Throws ConfigError, without quoting the value, if a secret can't be what it should be. */
export function readSecrets(env: Readonly<Record<string, string | undefined>>): Secrets {
  const adminToken = env['ENC_ADMIN_TOKEN'] || null;
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
