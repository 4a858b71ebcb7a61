import { utf8 } from '../../protocol/bytes.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { EventStatus } from '../../protocol/event.ts';
import { matchesFilter } from '../../protocol/filter-match.ts';
import { mayReadAnything } from '../../protocol/read-rules.ts';
import { type EventRecord, eventOf, readEventRecord } from '../../protocol/records.ts';
import { type Request, readRequest } from '../../protocol/requests.ts';
import { IC_ERASED, type KernelHost, REQUEST_PULL, REQUEST_QUERY, TYPE_CUSTOM } from '../kernel.ts';
import { sessionError } from './reads.ts';
import { eventStatus, isDeleted, readerOf, type State } from './state.ts';
import { isReadable } from './visible.ts';

type QueryRequest = Extract<Request, { kind: typeof REQUEST_QUERY | typeof REQUEST_PULL }>;

/** Query and Pull: the session holds, and there is anything that its maker may read. */
export function openQuery(state: State, host: KernelHost, bytes: Uint8Array, now: number): ErrorCode | null {
  const request = queryRequest(bytes);
  const session = sessionError(host, state, request, now);
  if (session !== null) return session;
  const reader = readerOf(state, request.from);
  return mayReadAnything(state.manifest, reader, request.kind === REQUEST_PULL) ? null : 'forbidden';
}

/** The event as its reader is shown it, or null if it does not match or is not theirs to read. */
export function select(
  state: State,
  host: KernelHost,
  enclave: Uint8Array,
  bytes: Uint8Array,
  record: Uint8Array,
  content: Uint8Array,
): Uint8Array | null {
  const request = queryRequest(bytes);
  const event = readEventRecord(record);
  if (!matchesFilter(request.filter, event)) return null;
  if (!isReadable(state, host, request.from, event, content, request.kind === REQUEST_PULL)) return null;
  const shown = record.slice();
  if (content.length === 0 || isGone(state, event)) shown[5] = event.flags | IC_ERASED;
  return utf8(eventOf(enclave, shown, content, statusOf(state, event)));
}

/** A deleted event's content is not shown, nor that of any Update of it (PROTOCOL §9). */
function isGone(state: State, event: EventRecord): boolean {
  if (event.typeNumber === TYPE_CUSTOM) return isDeleted(state, event.id);
  return event.type === 'Update' && isDeleted(state, event.target);
}

function statusOf(state: State, event: EventRecord): EventStatus | undefined {
  if (event.typeNumber !== TYPE_CUSTOM || eventStatus(state, event.id) === null) return undefined;
  return isDeleted(state, event.id) ? 'deleted' : 'updated';
}

function queryRequest(bytes: Uint8Array): QueryRequest {
  const request = readRequest(bytes);
  if (request.kind === REQUEST_QUERY || request.kind === REQUEST_PULL) return request;
  throw new RangeError('neither Query nor Pull');
}
