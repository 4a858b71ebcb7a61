/** The SDK for Node and browsers. In Node, `node-heads.ts` adds a store of tree heads in files, `node-archive.ts` archives. */
// biome-ignore lint/performance/noBarrelFile: the one door of the SDK
export { Admin, type SnapshotBody } from './admin.ts';
export { type ArchiveSource, verifyArchive } from './archive.ts';
export type { ArchiveReport, VerifyArchiveOptions } from './archive-audit.ts';
export {
  type Created,
  type CreateOptions,
  EncClient,
  type EncClientOptions,
  type NodeInfo,
  type OpenOptions,
} from './client.ts';
export { type Clock, systemClock } from './clock.ts';
export { buildCommit, type CommitParts, enclaveIdOf } from './commit.ts';
export { type CommitOptions, type Draft, Enclave } from './enclave.ts';
export { ArchiveRefused, EncError, NeverAccepted, NodeLied, OutcomeUnknown, Refused, Unreachable } from './errors.ts';
export { MemoryHeads, type Remembered, type Term, type TreeHead, type TreeHeadStore } from './heads.ts';
export { generateKey, type Key, keyFromHex, keyFromSecret, newSecret } from './keys.ts';
export type { Member, Members } from './members.ts';
export type { EventRef, ProvedEvent, ProvedState, StateKey } from './proofs.ts';
export type { PullOptions, QueryOptions } from './reading.ts';
export { nobleSecp, type Secp } from './secp.ts';
export { checkSnapshot, type SnapshotReport } from './snapshot.ts';
export type { SubmitOptions } from './submit.ts';
export type { Answer, Fetch } from './transport.ts';
export type {
  Alg,
  BundleProof,
  Commit,
  Content,
  EncEvent,
  Filter,
  Inclusion,
  Info,
  Range,
  Receipt,
  StateProof,
  Tags,
} from './types.ts';
export type { VerifyOptions, VerifyProgress, VerifyReport } from './verify-enclave.ts';
