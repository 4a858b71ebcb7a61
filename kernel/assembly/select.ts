import { matchesFilter } from './filter-match';
import { freshOutput, IN } from './input';
import * as L from './layout';
import { mayReadAnything, mayReadRecord, setReader } from './read-rules';
import { EVENT_ROOM, putEvent, STATUS_DELETED, STATUS_NONE, STATUS_UPDATED } from './render';
import { Sealed } from './sealed';
import { sessionError } from './session';
import { ENCLAVE, eventStatus, isDeleted, State } from './state';

const QUERY: u32 = 1;
const PULL: u32 = 2;
const WRONG_CALL: i32 = -1;

/** Query and Pull, in the input: 0, or why nothing can be read. */
export function openQuery(now: f64): i32 {
  const request = IN.ptr;
  if (State.seq < 0 || Sealed.seq < 0) return L.E_ENCLAVE_NOT_FOUND;
  const session = sessionError(request, now);
  if (session) return session;
  setReader(request + L.Q_FROM, <u32>load<u8>(request, L.Q_KIND) == PULL);
  return mayReadAnything() ? 0 : L.E_FORBIDDEN;
}

/** Request, record and content are in the input. 1: the event is in the output; 0: the filter or the reader's rights leave it out. */
export function select(requestLength: u32, recordLength: u32, contentLength: u32): i32 {
  const request = IN.ptr;
  const record = request + requestLength;
  const content = record + recordLength;
  const kind = <u32>load<u8>(request, L.Q_KIND);
  if (kind != QUERY && kind != PULL) return WRONG_CALL;
  if (State.seq < 0 || !matchesFilter(request + L.Q_PAYLOAD, record)) return 0;
  setReader(request + L.Q_FROM, kind == PULL);
  if (!mayReadRecord(record, content, contentLength)) return 0;
  const type = <u32>load<u8>(record, L.R_TYPE);
  let status = STATUS_NONE;
  let deleted = false;
  if (type == L.T_CUSTOM) {
    deleted = isDeleted(record + L.R_ID);
    if (deleted) status = STATUS_DELETED;
    else if (eventStatus(record + L.R_ID)) status = STATUS_UPDATED;
  } else if (type == L.T_UPDATE) {
    deleted = isDeleted(record + L.R_TARGET);
  }
  const gone = deleted || contentLength == 0 || (load<u8>(record, L.R_FLAGS) & L.FLAG_ERASED) != 0;
  const out = freshOutput();
  const at = out.reserve(<usize>recordLength + contentLength + EVENT_ROOM);
  out.end(putEvent(at, record, ENCLAVE, gone ? 0 : content, contentLength, status));
  return 1;
}
