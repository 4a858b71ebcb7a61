import type { Inspector } from '../../kernel/kernel.ts';
import type { Admission } from '../admission/admission.ts';
import type { Enclaves } from '../enclave/enclaves.ts';
import type { Intake } from '../enclave/intake.ts';
import type { Queries } from '../enclave/query.ts';
import type { Reads } from '../enclave/reads.ts';
import type { Restore } from '../enclave/restore.ts';
import type { Snapshots } from '../enclave/snapshot.ts';
import type { ShardMetrics } from '../metrics.ts';
import type { Signer } from '../signer/signer.ts';

/** What a call may use. */
export interface ApiContext {
  readonly inspector: Inspector;
  readonly admission: Admission;
  readonly intake: Intake;
  readonly enclaves: Enclaves;
  readonly reads: Reads;
  readonly queries: Queries;
  readonly snapshots: Snapshots;
  readonly restore: Restore;
  readonly signer: Signer;
  readonly metrics: ShardMetrics | null;
}
