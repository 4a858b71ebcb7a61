import { equalBytes, fromUtf8, viewOf } from '../../protocol/bytes.ts';
import { isObject, parseJson } from '../../protocol/json.ts';
import { mayRead, mayReadWithTarget, type Readable } from '../../protocol/read-rules.ts';
import { type EventRecord, getU64 } from '../../protocol/records.ts';
import { IC_TARGET, type KernelHost } from '../kernel.ts';
import { readerOf, type State } from './state.ts';

/** What `host_event_meta` tells about a released event. */
export interface EventMeta {
  readonly from: Uint8Array;
  readonly seq: number;
  readonly type: string;
}

const META_ROOM = 128;

/** A released event by id, or null. */
export function eventMeta(host: KernelHost, id: Uint8Array): EventMeta | null {
  const out = new Uint8Array(META_ROOM);
  if (host.eventMeta(id, out) === 0) return null;
  const view = viewOf(out);
  const type = fromUtf8(out.subarray(46, 46 + view.getUint16(44, true))) ?? '';
  return { from: out.slice(0, 32), seq: getU64(view, 32), type };
}

/** May `identity` read this event (PROTOCOL §5), with all that reading it depends on? */
export function isReadable(
  state: State,
  host: KernelHost,
  identity: Uint8Array,
  event: EventRecord,
  content: Uint8Array,
  pull: boolean,
): boolean {
  const reader = readerOf(state, identity);
  const self = (event.flags & IC_TARGET) !== 0 && equalBytes(event.target, identity);
  const own: Readable = {
    type: event.type,
    seq: event.seq,
    self,
    sender: equalBytes(event.from, identity),
    key: slotKey(event, content),
  };
  if (event.type !== 'Update' && event.type !== 'Delete') return mayRead(state.manifest, reader, own, pull);
  const target = eventMeta(host, event.target);
  const of =
    target === null
      ? null
      : { type: target.type, seq: target.seq, self: false, sender: equalBytes(target.from, identity) };
  return mayReadWithTarget(state.manifest, reader, own, of, pull);
}

function slotKey(event: EventRecord, content: Uint8Array): string {
  if (event.type !== 'Shared' && event.type !== 'Own') return '';
  const parsed = parseJson(content);
  const key = parsed !== null && isObject(parsed.value) ? parsed.value.get('key') : undefined;
  return typeof key === 'string' ? key : '';
}
