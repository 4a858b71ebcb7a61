import { type Event, parseEvent } from '../../protocol/event.ts';
import { isObject, type Json, type JsonObject, toPlain } from '../../protocol/json.ts';
import { parseSth, type Sth } from '../../protocol/sth.ts';
import { errorCode, type History, type HostedEnclave, isReceipt } from './history.ts';
import type { Random } from './random.ts';
import { call, download, json, type Reply, session } from './wire.ts';

export interface Consistency {
  readonly from: Sth;
  readonly to: Sth;
  /** null: the node gave no proof */
  readonly path: readonly string[] | null;
}

export interface EventProof {
  readonly seq: number;
  readonly bundle: {
    event_id: string;
    bundle_index: number;
    bundle_size: number;
    siblings: string[];
    leaf_index: number;
  } | null;
  readonly inclusion: {
    ts: number;
    li: number;
    p: string[];
    events_root: string;
    state_hash: string;
    first_seq: number;
    bundle_size: number;
  } | null;
}

/** Everything about one enclave that can be read from outside. */
export interface View {
  readonly enclave: HostedEnclave;
  readonly head: number;
  readonly events: readonly Event[];
  /** items of pulls that were no events */
  readonly malformed: number;
  readonly sth: Sth;
  readonly consistency: readonly Consistency[];
  readonly proofs: readonly EventProof[];
  /** by commit hash: the answer to GET receipt */
  readonly receipts: ReadonlyMap<string, string>;
  /** the proof of the owner's rights against the last closed bundle */
  readonly state: { readonly state_hash: string; readonly leaf_index: number } | null;
  readonly snapshot: Buffer;
}

/** The node answered with an error where it had to serve. */
export class NotServed extends Error {
  readonly status: number;
  readonly answer: string;

  constructor(what: string, status: number, answer: string) {
    super(`${what}: HTTP ${status} ${answer.slice(0, 200)}`);
    this.status = status;
    this.answer = answer;
  }
}

/** Events that get their proofs read, of each enclave. */
const SAMPLED = 6;
const PAGE = 500;

/** What says "send it again" is sent again for so long: machines under test are busy, ms. */
const PATIENCE_MS = 10_000;
const PASSING = new Set(['unavailable', 'fenced', 'overloaded']);

async function patient(ask: () => Promise<Reply>): Promise<Reply> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const reply = await ask();
    if (!PASSING.has(errorCode(reply.text) ?? '') || Date.now() > end) return reply;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Closes the open bundle and reads an enclave back. Throws NotServed. */
export async function readView(url: string, enclave: HostedEnclave, history: History, random: Random): Promise<View> {
  const closed = await patient(() => call(url, `/enclaves/${enclave.id}/close-bundle`, ''));
  const sth = parseSth(json(closed.text));
  if (sth === null) throw new NotServed('close-bundle', closed.status, closed.text);
  const about = { enclave: enclave.id, from: enclave.owner.id, session: session(enclave.owner, enclave.sequencer) };
  const ask = async (path: string, body: object): Promise<JsonObject> => {
    const reply = await patient(() => call(url, path, JSON.stringify(body)));
    const value = json(reply.text);
    if (reply.status !== 200 || !isObject(value as Json))
      throw new NotServed(path === '/' ? JSON.stringify(body).slice(0, 30) : path, reply.status, reply.text);
    return value as JsonObject;
  };
  const events: Event[] = [];
  let malformed = 0;
  let head = -1;
  for (;;) {
    const answer = await ask('/', { type: 'Pull', ...about, after_seq: events.at(-1)?.seq ?? -1, limit: PAGE });
    head = Number(answer.get('head'));
    const items = answer.get('events') as Json[];
    for (const item of items) {
      const event = parseEvent(item);
      if (event) events.push(event);
      else malformed++;
    }
    if (items.length < PAGE) break;
  }
  const consistency: Consistency[] = [];
  const remembered = [...history.heads.filter((one) => one.enclave === enclave.id), sth];
  const sizes = [...new Map(remembered.map((one) => [one.ts, one])).values()].sort((a, b) => a.ts - b.ts);
  for (const [i, from] of sizes.entries()) {
    const to = sizes[i + 1];
    if (to) consistency.push({ from, to, path: await consistencyPath(url, enclave.id, from.ts, to.ts) });
  }
  const proofs: EventProof[] = [];
  for (let i = 0; i < Math.min(SAMPLED, events.length); i++) {
    const seq = i === 0 ? events.length - 1 : random.int(0, events.length - 1);
    const bundle = toPlain(await ask('/bundle', { ...about, seq })) as EventProof['bundle'];
    const inclusion = toPlain(await ask('/inclusion', { ...about, seq, ts: sth.ts })) as EventProof['inclusion'];
    proofs.push({ seq, bundle, inclusion });
  }
  const receipts = new Map<string, string>();
  const acknowledged = history.asked.filter(
    (asked) => asked.commit.enclave === enclave.id && asked.attempts.some((attempt) => isReceipt(attempt.answer)),
  );
  for (let i = 0; i < Math.min(SAMPLED, acknowledged.length); i++) {
    const { commit } = random.pick(acknowledged);
    receipts.set(commit.hash, (await call(url, `/${enclave.id}/receipt/${commit.hash}?sig=${commit.sig}`)).text);
  }
  const state = toPlain(await ask('/state', { ...about, namespace: 'rbac', key: enclave.owner.id })) as View['state'];
  const file = await download(url, `/enclaves/${enclave.id}/snapshot`);
  if (file.status !== 200) throw new NotServed('snapshot', file.status, file.bytes.toString('utf8', 0, 200));
  return { enclave, head, events, malformed, sth, consistency, proofs, receipts, state, snapshot: file.bytes };
}

async function consistencyPath(url: string, enclave: string, from: number, to: number): Promise<string[] | null> {
  const answer = json((await call(url, `/${enclave}/consistency?from=${from}&to=${to}`)).text);
  if (!isObject(answer as Json)) return null;
  const path = (answer as JsonObject).get('p');
  return Array.isArray(path) ? (path as string[]) : null;
}
