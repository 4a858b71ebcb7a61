import type { EnclaveLog, LogKey } from '../log/enclave-log.ts';
import type { ReleaseGuard } from './release-guard.ts';

/** The log belongs to another guard than the one that was found. */
export class ForeignGuard extends Error {}

const PAGE = 1000;

/**
 * The log names its guard by id. A new log takes the guard that it is given; any other pair is refused, because a guard
 * that is missing or foreign can't tell whether the log has lost something (ARCHITECTURE §3).
 */
export async function checkGuard(log: EnclaveLog, guard: ReleaseGuard): Promise<void> {
  const expected = await log.guardId();
  if (expected === null) return log.adoptGuard(guard.id);
  if (Buffer.compare(expected, guard.id) === 0) return;
  throw new ForeignGuard(
    'The guard is not the one that this log was written with: put it back. If it is lost for good and you are sure ' +
      'that the log is complete and newer than every backup of it, run `enc admin guard adopt` and start again.',
  );
}

/** The operator vouches for the log as it is: every enclave without a watermark gets its head as one. */
export async function adoptGuard(
  log: EnclaveLog,
  guard: ReleaseGuard,
  progress: (enclaves: number) => void,
): Promise<void> {
  let after: LogKey | null = null;
  let adopted = 0;
  for (;;) {
    const keys: LogKey[] = await log.list(after, PAGE);
    if (keys.length === 0) break;
    for (const key of keys) {
      const head = await log.head(key);
      if (head && (await guard.create(key, head))) adopted++;
    }
    after = keys.at(-1) ?? null;
    progress(adopted);
  }
  await log.adoptGuard(guard.id);
}
