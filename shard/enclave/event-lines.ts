import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { utf8 } from '../../protocol/bytes.ts';
import { commitJson } from '../../protocol/commit.ts';
import { parseEvent } from '../../protocol/event.ts';
import { unhex } from '../../protocol/hex.ts';
import { isObject, type Json, parseJson } from '../../protocol/json.ts';
import {
  SnapshotBroken,
  type SnapshotClosing,
  type SnapshotEnd,
  type SnapshotEvent,
  type SnapshotItem,
} from './snapshot-file.ts';

/** An event of 1 MiB of content is a line of a little more. */
const MAX_LINE_BYTES = 4 << 20;
/** PROTOCOL §4. */
const DEFAULT_BUNDLE = { size: 256, timeout: 5000 };

export interface EventLinesOptions {
  /** bundles that the watermark counts: whether the last one was closed by its time-out shows in no event */
  readonly bundles: number;
}

/**
 * Reads what any client has pulled, one event a line as JSON, as if it were a snapshot. Where bundles ended follows from
 * the events: a bundle is closed when it is full, when an event comes at or after its time-out, and by Terminate and
 * Migrate. Bundles that an operator closed early are told by lines `{"first_seq":n,"bundle_size":m}` before their first
 * event. There is no tree head: the caller makes one, and the watermark decides whether all of it is right.
 */
export async function* readEventLines(path: string, { bundles }: EventLinesOptions): AsyncGenerator<SnapshotItem> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  const early = new Map<number, number>();
  let rules = DEFAULT_BUNDLE;
  let index = 0;
  let open: { first: number; since: number; size: number } | null = null;
  let last: SnapshotEvent | null = null;
  const close = (t: number): SnapshotClosing => {
    const { first, size } = open as NonNullable<typeof open>;
    open = null;
    return { kind: 'closing', index: index++, firstSeq: first, size, t };
  };
  for await (const line of lines) {
    if (line === '') continue;
    const value = parsed(line);
    const closing = earlyClosing(value);
    if (closing) {
      early.set(closing.first, closing.size);
      continue;
    }
    const { item, type, content } = eventItem(value);
    if (item.seq === 0) rules = bundleRules(content);
    if (open && item.timestamp >= open.since + rules.timeout) yield close(open.since + rules.timeout);
    open ??= { first: item.seq, since: item.timestamp, size: 0 };
    open.size++;
    last = item;
    yield item;
    const full = open.size === rules.size || open.size === early.get(open.first);
    if (full || type === 'Terminate' || type === 'Migrate') yield close(item.timestamp);
  }
  if (open && index < bundles) yield close((open as { since: number }).since + rules.timeout);
  if (!last) throw new SnapshotBroken('there are no events in it');
  yield {
    kind: 'end',
    t: last.timestamp,
    ts: index,
    r: null,
    sequencer: last.sequencer,
    sig: null,
    intact: true,
  } satisfies SnapshotEnd;
}

function parsed(line: string): Json {
  const value = line.length <= MAX_LINE_BYTES ? parseJson(utf8(line)) : null;
  if (!value) throw new SnapshotBroken('a line is not JSON');
  return value.value;
}

function earlyClosing(value: Json): { first: number; size: number } | null {
  if (!isObject(value) || value.has('hash')) return null;
  const first = value.get('first_seq');
  const size = value.get('bundle_size');
  return typeof first === 'number' && typeof size === 'number' && size > 0 ? { first, size } : null;
}

function eventItem(value: Json): { item: SnapshotEvent; type: string; content: Json } {
  const event = parseEvent(value);
  if (!event) throw new SnapshotBroken('a line is not an event');
  const item: SnapshotEvent = {
    kind: 'event',
    commit: utf8(commitJson(event)),
    timestamp: event.timestamp,
    seq: event.seq,
    sequencer: unhex(event.sequencer),
    seqSig: unhex(event.seq_sig),
    target: null,
  };
  return { item, type: event.type, content: event.content };
}

function bundleRules(manifest: Json): typeof DEFAULT_BUNDLE {
  const bundle = isObject(manifest) ? manifest.get('bundle') : undefined;
  const number = (name: string, fallback: number): number => {
    const value = isObject(bundle) ? bundle.get(name) : undefined;
    return typeof value === 'number' ? value : fallback;
  };
  return { size: number('size', DEFAULT_BUNDLE.size), timeout: number('timeout', DEFAULT_BUNDLE.timeout) };
}
