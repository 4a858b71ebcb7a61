import type { Meters } from '../../../cluster/metrics/meters.ts';
import type { ArchivePlace } from '../../../protocol/archive-name.ts';
import type { Verifier } from '../../../protocol/secp.ts';
import type { ReleaseGuard } from '../../guard/release-guard.ts';
import type { EnclaveLog, LogKey } from '../enclave-log.ts';
import type { ArchiveHints } from './archive-hints.ts';
import { createArchiveMetrics } from './archive-metrics.ts';
import { ArchiveService } from './archive-service.ts';
import { Backlog } from './backlog.ts';
import { MeasuredStore } from './measured-store.ts';
import { openObjectStore } from './open-store.ts';

export interface OpenArchiveModules {
  readonly log: EnclaveLog;
  readonly guard: ReleaseGuard;
  readonly verifier: Verifier;
  readonly hints: ArchiveHints;
  readonly meters: Meters;
  readonly warn: (fields: object, message: string) => void;
  readonly onErased?: () => void;
  readonly mine?: (key: LogKey) => boolean;
  readonly settled?: (key: LogKey) => Promise<void>;
}

/** Starts archiving to `place`. Rejects with StoreUnavailable if a folder can not be made or used. */
export async function openArchive(place: ArchivePlace, modules: OpenArchiveModules): Promise<ArchiveService> {
  const { meters, ...rest } = modules;
  const backlog = new Backlog();
  const metrics = createArchiveMetrics(meters, backlog);
  const store = new MeasuredStore(await openObjectStore(place), metrics);
  return new ArchiveService({ ...rest, store, backlog, metrics });
}
