import { DETAIL } from './apply';
import { ctSize } from './ct';
import { freshOutput, IN, OUT } from './input';
import * as L from './layout';
import { hexField, numberField } from './read-json';
import { bundle, consistency, inclusion } from './read-log';
import { closeAnswers, openAnswers, WRONG_CALL } from './read-needs';
import { setReader } from './read-rules';
import { stateProofs } from './read-state';
import { Rules } from './rules';
import { HEAD_ROOT, HEAD_SEQUENCER, HEAD_SIG, MANIFEST_ID, Sealed } from './sealed';
import { sessionError } from './session';
import { ACTIVE, ENCLAVE, PAUSED, SEQUENCER, State, TERMINATED } from './state';

/** Info, tree heads and proofs (PROTOCOL §9). Numbers of requests: kernel/kernel.ts. */
const INFO: u32 = 3;
const INCLUSION: u32 = 5;
const BUNDLE: u32 = 6;
const STATE: u32 = 7;
const STATE_BATCH: u32 = 8;
const CONSISTENCY: u32 = 9;
const STH: u32 = 10;

/** Request and answers are in the input. 0: the output is the JSON; NEED: it is the needs; else an error number. */
export function read(requestLength: u32, now: f64, answers: u32): i32 {
  DETAIL.clear();
  openAnswers(IN.ptr + requestLength, answers);
  freshOutput();
  const result = answer(IN.ptr, now);
  closeAnswers(result);
  return result;
}

function answer(request: usize, now: f64): i32 {
  if (Sealed.seq < 0) return L.E_ENCLAVE_NOT_FOUND;
  const kind = <u32>load<u8>(request, L.Q_KIND);
  if (kind == INFO) return info();
  if (kind == STH) return treeHead();
  if (kind == CONSISTENCY) return consistency(request + L.Q_PAYLOAD);
  const session = sessionError(request, now);
  if (session) return session;
  setReader(request + L.Q_FROM, false);
  if (kind == INCLUSION) return inclusion(request + L.Q_PAYLOAD);
  if (kind == BUNDLE) return bundle(request + L.Q_PAYLOAD);
  return kind == STATE || kind == STATE_BATCH ? stateProofs(request, kind == STATE) : WRONG_CALL;
}

function info(): i32 {
  hexField('{"type":"Info","enclave":"', ENCLAVE, 32);
  hexField('","sequencer":"', SEQUENCER, 32);
  numberField('","head":', State.seq);
  numberField(',"timestamp":', State.timestamp);
  OUT.text(',"status":"');
  const status = State.status;
  OUT.text(status == ACTIVE ? 'active' : status == PAUSED ? 'paused' : status == TERMINATED ? 'terminated' : 'migrated');
  numberField('","bundle":{"size":', Rules.size);
  numberField(',"timeout":', Rules.timeout);
  hexField('},"lanes":0,"manifest":"', MANIFEST_ID, 32);
  OUT.text('"}');
  return 0;
}

function treeHead(): i32 {
  hexField('{"enclave":"', ENCLAVE, 32);
  numberField('","t":', Sealed.headTime);
  numberField(',"ts":', ctSize);
  hexField(',"r":"', HEAD_ROOT, 32);
  hexField('","sequencer":"', HEAD_SEQUENCER, 32);
  hexField('","sig":"', HEAD_SIG, 64);
  OUT.text('"}');
  return 0;
}
