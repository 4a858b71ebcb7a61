import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from './config/config.ts';
import type { Backend } from './crypto/backend.ts';
import { adoptGuard, checkGuard } from './guard/adopt.ts';
import { openFileGuard } from './guard/file-guard.ts';
import type { ReleaseGuard } from './guard/release-guard.ts';
import { checkLmdbFile } from './lmdb-file.ts';
import { openEmbeddedLog } from './log/embedded/index.ts';
import type { EnclaveLog, LogKey } from './log/enclave-log.ts';
import { makeLmdbFile } from './new-lmdb-file.ts';
import { openSigner, type Signer } from './signer/signer.ts';
import type { SilentStores } from './silent-stores.ts';
import type { StoreMetrics } from './store-metrics.ts';

/** Everything that outlives the process. */
export interface Stores {
  readonly log: EnclaveLog;
  readonly guard: ReleaseGuard;
  readonly signer: Signer;
  /** what a log that trims reads through, if there is an archive; null: the log keeps everything */
  readonly archived: ArchivedLog | null;
  /** of stores that may fail for this process alone; null: they are its own */
  readonly silent: SilentStores | null;
  close(): Promise<void>;
}

/** A log in memory, whose archived bundles need not stay there. */
export interface ArchivedLog {
  /** Drops what archive and checkpoint allow. Rejects with LogUnavailable. */
  trim(key: LogKey): Promise<void>;
  /** Contents have been erased in the archive. */
  forget(): void;
}

export interface StoreHooks {
  readonly logger: Logger;
  readonly metrics?: StoreMetrics;
  /** The process must not go on: a sync failed, or what was acknowledged can no longer be trusted. */
  readonly onFatal: (reason: string) => void;
  /** Stores seen through something else: fault tests wrap them. */
  readonly wrapLog?: ((log: EnclaveLog) => EnclaveLog) | undefined;
  readonly wrapGuard?: ((guard: ReleaseGuard) => ReleaseGuard) | undefined;
}

/** Left in the data folder by `enc admin guard adopt`: the next start takes the log as it is. */
const ADOPTION_MARK = 'guard.adopt';

/** Opens the stores of a data folder. */
export async function openStores(config: Config, secp: Backend, hooks: StoreHooks): Promise<Stores> {
  const { folders } = config;
  const { logger, metrics } = hooks;
  mkdirSync(folders.data, { recursive: true, mode: 0o700 });
  for (const [folder, what] of [
    [join(folders.keys, 'enclaves'), 'keys/'],
    [folders.guard, 'guard/'],
    [folders.log, 'log/'],
  ] as const) {
    checkLmdbFile(folder, what);
    await makeLmdbFile(folder);
  }
  const signer = await openSigner({ dir: folders.keys, backend: secp, maxUnwrapped: config.enclaves.maxActive });
  const ownGuard = await openFileGuard({
    folder: folders.guard,
    onWritten: metrics?.disk('guard'),
    onFatal: (reason) => hooks.onFatal(broken('guard', folders.guard, reason)),
    onLost: () => hooks.onFatal(`another process has taken ${folders.guard} over`),
    onFailure: (reason) => logger.error({ reason }, 'the guard could not be written; nothing was acknowledged'),
  });
  const guard = hooks.wrapGuard?.(ownGuard) ?? ownGuard;
  const ownLog = await openEmbeddedLog({
    folder: folders.log,
    onWritten: metrics?.disk('log'),
    checkpointKey: signer.checkpointKey(),
    onFatal: (reason) => hooks.onFatal(broken('log', folders.log, reason)),
    onLost: () => hooks.onFatal(`another process has taken ${folders.log} over`),
    onFailure: (reason) => logger.error({ reason }, 'the log could not be written; nothing was acknowledged'),
  });
  const log = hooks.wrapLog?.(ownLog) ?? ownLog;
  const adoption = join(folders.data, ADOPTION_MARK);
  if (existsSync(adoption)) {
    await adoptGuard(log, guard, (enclaves) => logger.info({ enclaves }, 'the guard takes the log as it is'));
    rmSync(adoption);
  } else await checkGuard(log, guard);
  const close = async (): Promise<void> => {
    await log.close();
    await guard.close();
    await signer.close();
  };
  return { log, guard, signer, archived: null, silent: null, close };
}

/** A short write comes out of LMDB as an I/O error, so a full disk is among the causes. */
function broken(store: string, folder: string, reason: string): string {
  return `the ${store} in ${folder} could not be written (${reason}): check that its disk is sound and has room, then start again`;
}
