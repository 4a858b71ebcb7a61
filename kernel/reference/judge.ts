import { equalBytes } from '../../protocol/bytes.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import type { InspectedCommit } from '../../protocol/records.ts';
import { statusRefusal } from '../../protocol/rules-lifecycle.ts';
import type { TargetEvent } from '../../protocol/rules-target.ts';
import {
  IC_ECDSA,
  IC_ENCLAVE_OK,
  IC_ERASED,
  IC_HASH_OK,
  type KernelHost,
  STAGE_ADMIN,
  STAGE_FORGED,
  STAGE_FULL,
  STAGE_VERIFIED,
} from '../kernel.ts';
import { apply, applyManifest, type Outcome, statusDetail } from './apply.ts';
import type { SealedLog } from './sealed-log.ts';
import { releasedTarget, type Staged } from './staged.ts';
import type { State } from './state.ts';

/** Events that go on when a quota is used up: they free or end something (STAGE_FULL). */
const ALWAYS_FIT: ReadonlySet<string> = new Set(['Delete', 'Revoke', 'Pause', 'Resume', 'Terminate', 'Migrate']);

/** The checks of PROTOCOL §3 from `enclave known` to `sig`; t is the batch's T. */
export function checkCommit(
  staged: Staged,
  host: KernelHost,
  c: InspectedCommit,
  flags: number,
  t: number,
): ErrorCode | null {
  if (!isKnown(staged, c)) return 'enclave_not_found';
  if (c.exp <= t) return 'expired';
  if (c.exp > t + staged.params.expWindow) return 'exp_too_far';
  if ((c.flags & IC_HASH_OK) === 0) return 'invalid_hash';
  if (flags & STAGE_FORGED) return 'invalid_signature';
  if (flags & STAGE_VERIFIED) return null;
  return host.verify(c.flags & IC_ECDSA ? 1 : 0, c.from, c.hash, c.sig) ? null : 'invalid_signature';
}

/** The commit is for this enclave, which only a Manifest founds. */
export function isKnown(staged: Staged, c: InspectedCommit): boolean {
  return equalBytes(c.enclave, staged.params.enclave) && (staged.state !== null || c.type === 'Manifest');
}

/** From the duplicate on: may this kernel sequence at all, has the enclave ended, is there room, do the rules allow it? */
export function judge(staged: Staged, log: SealedLog, host: KernelHost, c: InspectedCommit, flags: number): Outcome {
  const { state, params } = staged;
  const key = params.sequencer;
  if (key === undefined || !staged.sequences) return refuse('enclave_read_only');
  const takeOver = staged.takesOver(key);
  if (state !== null) {
    const status = statusRefusal(takeOver ? 'active' : state.status, c.type);
    if (status !== null) return refuse(status, statusDetail(state));
  }
  if (flags & STAGE_FULL && !ALWAYS_FIT.has(c.type)) return refuse('too_large');
  if (state === null) return judgeManifest(staged, c, key, flags);
  return applyTo(staged, state, log, c, takeOver, (id) => releasedTarget(host, id));
}

function judgeManifest(staged: Staged, c: InspectedCommit, key: Uint8Array, flags: number): Outcome {
  const { provisioned } = staged.params;
  if (!foundsItsEnclave(staged, c)) return refuse('invalid_manifest', '"path":"/enclave"');
  const outcome = applyManifest(c.content, key);
  if (!outcome.ok || provisioned === undefined) return outcome;
  const { creator } = provisioned;
  const allowed = creator === undefined ? (flags & STAGE_ADMIN) !== 0 : equalBytes(creator, c.from);
  return allowed ? outcome : refuse('forbidden');
}

/** A provisioned id need not follow from its Manifest (PROTOCOL §3). */
export function foundsItsEnclave(staged: Staged, c: InspectedCommit): boolean {
  return staged.params.provisioned !== undefined || (c.flags & IC_ENCLAVE_OK) !== 0;
}

/** Applies a commit behind all that is staged. `target`: of an erased Update. */
export function applyTo(
  staged: Staged,
  state: State,
  log: SealedLog,
  c: InspectedCommit,
  takeOver: boolean,
  find: (id: Uint8Array) => TargetEvent | null,
  target?: Uint8Array,
): Outcome {
  const { type, from, hash, content } = c;
  const erased = (c.flags & IC_ERASED) !== 0;
  const candidate = { type, from, hash, content, erased, ...(target === undefined ? {} : { target }) };
  const position = () => ({
    head: staged.seq,
    ctRoot: staged.closings === log.ct.size ? toHex(log.ct.root()) : '',
  });
  return apply(state, candidate, { seq: staged.seq + 1, find, position }, takeOver);
}

function refuse(error: ErrorCode, detail = ''): Outcome {
  return { ok: false, error, detail };
}
