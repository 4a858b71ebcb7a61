import { CommanderError } from 'commander';
import { EncError, NodeLied, OutcomeUnknown, Unreachable } from '../client/errors.ts';

export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;

/** The command was written wrongly, or something it names is not there. */
export class UsageError extends Error {
  readonly code = 'usage';
}

/** A check came out false: not an answer of the node, but the result of the command itself. */
export class Failed extends Error {
  readonly code = 'failed';
}

/** What each refusal asks the user to do. */
const ADVICE: Readonly<Record<string, string>> = {
  expired: 'The clocks of this machine and the node may differ: compare them.',
  exp_too_far: 'Choose a shorter --exp, or compare the clocks of this machine and the node.',
  forbidden: 'The roles of this key do not allow it: see "enc members".',
  unauthorized: "Give the admin token with --token or ENC_ADMIN_TOKEN; it is kept in the node's data folder.",
  enclave_not_found: 'Check the enclave id and --remote.',
  bundle_open: 'Wait for the bundle to close, or close it with "enc admin close-bundle".',
  session_expired: 'The clocks of this machine and the node may differ: compare them.',
  enclave_regressed: 'The operator must bring the missing events back: see "enc admin recover".',
  gate_closed: 'Somebody must open the gate first (event Gate).',
};

/** An error as the user sees it. */
export function describe(error: unknown): { code: string; message: string; fields?: unknown; exit: number } {
  if (error instanceof CommanderError) {
    return { code: 'usage', message: error.message, exit: error.exitCode === 0 ? EXIT.ok : EXIT.usage };
  }
  if (error instanceof UsageError) return { code: 'usage', message: error.message, exit: EXIT.usage };
  if (error instanceof Unreachable || error instanceof OutcomeUnknown) {
    return { code: error.code, message: error.message, exit: EXIT.unreachable };
  }
  if (error instanceof NodeLied) return { code: error.code, message: error.message, exit: EXIT.refused };
  if (error instanceof EncError) {
    const fields = (error as { fields?: Record<string, unknown> }).fields;
    const details =
      fields && Object.keys(fields).length > 0
        ? ` (${Object.entries(fields)
            .map(([k, v]) => `${k}: ${JSON.stringify(v)}`)
            .join(', ')})`
        : '';
    const advice = ADVICE[error.code];
    const message = `${error.message}${details} [${error.code}]${advice ? ` ${advice}` : ''}`;
    return { code: error.code, message, fields, exit: EXIT.refused };
  }
  if (error instanceof Failed) return { code: 'failed', message: error.message, exit: EXIT.refused };
  const { message, code } = error as NodeJS.ErrnoException;
  const system = typeof code === 'string' && /^E[A-Z]+$/.test(code);
  return {
    code: system ? 'system' : 'error',
    message: message ?? String(error),
    exit: system || error instanceof TypeError ? EXIT.usage : EXIT.refused,
  };
}
