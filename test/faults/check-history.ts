/**
 * The judge: what the clients remember against what can be read back. It knows nothing of the node but the protocol, and
 * imports nothing else. Every sentence that it returns is a violation of an invariant of ARCHITECTURE §3.
 */
import { verifyBundlePath } from '../../protocol/bundle-tree.ts';
import { verifyConsistency, verifyInclusion } from '../../protocol/ct.ts';
import { verifyEvent, verifySequenced } from '../../protocol/event.ts';
import { ctLeaf, ctLeafData } from '../../protocol/hash.ts';
import { fromHex, unhex } from '../../protocol/hex.ts';
import { parseJson } from '../../protocol/json.ts';
import { parseReceipt, type Receipt } from '../../protocol/receipt.ts';
import { noble, type Verifier } from '../../protocol/secp.ts';
import { verifySth } from '../../protocol/sth.ts';
import { type Attempt, errorCode, type History, isFinal, isReceipt } from './history.ts';
import type { View } from './outside-view.ts';

/** `views`: by enclave id, of every enclave that must be served. */
export function checkHistory(history: History, views: ReadonlyMap<string, View>, verifier: Verifier = noble): string[] {
  const found: string[] = [];
  const say = (violation: string): void => void found.push(violation);
  const receipts = checkAnswers(history, verifier, say);
  checkTargets(history, receipts, say);
  checkLookUps(history, receipts, views, say);
  checkReleased(history, receipts, views, say);
  for (const view of views.values()) {
    checkLog(view, verifier, say);
    checkAcknowledged(history, receipts, view, say);
    checkHeads(history, view, verifier, say);
    checkProofs(view, say);
  }
  return found;
}

type Say = (violation: string) => void;

const parse = (text: string): Receipt | null => parseReceipt(parseJson(Buffer.from(text))?.value ?? null);

/** Each answer alone, and the answers to one commit together. Returns the receipts by commit hash. */
function checkAnswers(history: History, verifier: Verifier, say: Say): Map<string, Receipt> {
  const receipts = new Map<string, Receipt>();
  for (const { commit, attempts } of history.asked) {
    let first: string | null = null;
    for (const { answer, status } of attempts) {
      if (status <= 0) continue;
      const code = errorCode(answer);
      if (code === 'internal') say(`a commit was answered 'internal': ${answer}`);
      if (code !== null) continue;
      const receipt = parse(answer);
      if (receipt === null) {
        say(`an answer is neither a receipt nor an error: ${answer.slice(0, 200)}`);
        continue;
      }
      if (first !== null && first !== answer) say(`I4 two receipts for commit ${commit.hash}`);
      if (first !== null) continue;
      first = answer;
      receipts.set(commit.hash, receipt);
      if (receipt.hash !== commit.hash || receipt.enclave !== commit.enclave)
        say(`a receipt for another commit than ${commit.hash}`);
      const enclave = history.enclaves.find((one) => one.id === commit.enclave);
      if (enclave && enclave.sequencer !== receipt.sequencer)
        say(`the receipt of ${commit.hash} is signed by another sequencer`);
      const fault = verifySequenced(commit, receipt, verifier);
      if (fault !== null) say(`the receipt of ${commit.hash} does not verify: ${fault}`);
      if (receipt.timestamp >= commit.exp) say(`the receipt of ${commit.hash} is for an expired commit`);
    }
  }
  return receipts;
}

/**
 * A refusal is a read of the owner's state, which may be this old while it changes hands (ARCHITECTURE §3), ms. Nothing is
 * added for the way: what is asked for so long after a receipt has come in reaches the owner later still.
 */
export const STALE_MS = 2000;

/** When the first receipt of this commit came in; Infinity if none did. */
const receiptAt = (attempts: readonly Attempt[]): number =>
  Math.min(...attempts.filter(({ answer }) => isReceipt(answer)).map(({ got }) => got));

/** I1: an event whose receipt had come in before it was referred to is found. */
function checkTargets(history: History, receipts: ReadonlyMap<string, Receipt>, say: Say): void {
  const known = new Map<string, number>();
  for (const { commit, attempts } of history.asked) {
    const receipt = receipts.get(commit.hash);
    if (receipt) known.set(`${commit.enclave}/${receipt.id}`, receiptAt(attempts));
  }
  for (const { commit, attempts } of history.asked) {
    if (commit.type !== 'Update' && commit.type !== 'Delete') continue;
    const target = commit.content instanceof Map ? String(commit.content.get('target')) : '';
    const since = known.get(`${commit.enclave}/${target}`);
    if (since === undefined) continue;
    for (const { sent, answer } of attempts)
      if (sent >= since + STALE_MS && errorCode(answer) === 'event_not_found')
        say(`I1 acknowledged event ${target} of ${commit.enclave} was not found by ${commit.type} ${commit.hash}`);
  }
}

/**
 * What GET receipt has said (PROTOCOL §9): the original receipt; or that there is none, which is no longer true of a commit
 * whose receipt has come in (I1), and true for ever once the head's time has reached its exp (I4).
 */
function checkLookUps(
  history: History,
  receipts: ReadonlyMap<string, Receipt>,
  views: ReadonlyMap<string, View>,
  say: Say,
): void {
  const asked = new Map(history.asked.map((one) => [one.commit.hash as string, one.attempts]));
  for (const { commit, sent, answer } of history.lookUps) {
    const attempts = asked.get(commit.hash) ?? [];
    const original = attempts.find((attempt) => isReceipt(attempt.answer))?.answer;
    if (isReceipt(answer) && original !== undefined && original !== answer)
      say(`I4 the receipt of ${commit.hash} was looked up as another one: ${answer.slice(0, 120)}`);
    const code = errorCode(answer);
    if (code === 'internal') say(`a look-up was answered 'internal': ${answer}`);
    if (code !== 'event_not_found') continue;
    if (receipts.has(commit.hash) && sent >= receiptAt(attempts) + STALE_MS)
      say(`I1 the receipt of acknowledged commit ${commit.hash} was not found`);
    const time = Number(/"timestamp":(-?\d+)/.exec(answer)?.[1] ?? Number.NaN);
    const there = views.get(commit.enclave)?.events.some(({ hash }) => hash === commit.hash) ?? false;
    if (Number.isNaN(time)) say(`a look-up of ${commit.hash} tells no time: ${answer.slice(0, 120)}`);
    else if (time >= commit.exp && there)
      say(`I4 commit ${commit.hash} was said never to be accepted, and is in the log`);
  }
}

/** I2: one event under one seq, over receipts, pulls and the final log. */
function checkReleased(
  history: History,
  receipts: ReadonlyMap<string, Receipt>,
  views: ReadonlyMap<string, View>,
  say: Say,
): void {
  const known = new Map<string, string>();
  const meet = (enclave: string, seq: number, id: string, where: string): void => {
    const name = `${enclave}/${seq}`;
    const other = known.get(name);
    if (other !== undefined && other !== id)
      say(`I2 two events under seq ${seq} of ${enclave}: ${other} and, ${where}, ${id}`);
    known.set(name, id);
  };
  for (const { enclave, seq, id } of receipts.values()) meet(enclave, seq, id, 'in a receipt');
  for (const { enclave, seq, id } of history.seen) meet(enclave, seq, id, 'in a pull');
  for (const view of views.values()) {
    for (const { enclave, seq, id } of view.events) meet(enclave, seq, id, 'in the log');
    for (const seen of history.seen) {
      if (seen.enclave === view.enclave.id && view.events[seen.seq]?.id !== seen.id)
        say(`I1 event ${seen.seq} of ${seen.enclave} was shown and is missing`);
    }
  }
}

/** I3, I4, and every signature of the log. */
function checkLog(view: View, verifier: Verifier, say: Say): void {
  const { id: enclave, sequencer } = view.enclave;
  if (view.malformed > 0) say(`${view.malformed} malformed events in ${enclave}`);
  if (view.head !== view.events.length - 1)
    say(`I3 the head of ${enclave} is ${view.head}, ${view.events.length} events can be read`);
  const hashes = new Set<string>();
  let before = -1;
  for (const [i, event] of view.events.entries()) {
    if (event.seq !== i) say(`I3 seq ${event.seq} stands where ${i} is expected in ${enclave}`);
    if (event.enclave !== enclave) say(`event ${i} of ${enclave} belongs to another enclave`);
    if (hashes.has(event.hash)) say(`I4 commit ${event.hash} is twice in ${enclave}`);
    hashes.add(event.hash);
    if (event.timestamp < before) say(`I3 time goes back at seq ${i} of ${enclave}`);
    before = event.timestamp;
    if (event.sequencer !== sequencer) say(`event ${i} of ${enclave} is signed by another sequencer`);
    const fault = verifyEvent(event, verifier);
    if (fault !== null) say(`event ${i} of ${enclave} does not verify: ${fault}`);
  }
}

/** I1: what was acknowledged is there; what was refused is not. */
function checkAcknowledged(history: History, receipts: ReadonlyMap<string, Receipt>, view: View, say: Say): void {
  const enclave = view.enclave.id;
  const there = new Map(view.events.map((event) => [event.hash as string, event]));
  const asked = new Set<string>();
  for (const { commit, attempts } of history.asked) {
    if (commit.enclave !== enclave) continue;
    asked.add(commit.hash);
    const receipt = receipts.get(commit.hash);
    const event = there.get(commit.hash);
    if (receipt) {
      const at = view.events[receipt.seq];
      if (at?.id !== receipt.id || at.hash !== receipt.hash || at.timestamp !== receipt.timestamp)
        say(`I1 acknowledged seq ${receipt.seq} of ${enclave} is ${at ? 'another event' : 'missing'}`);
    } else if (event && attempts.length > 0 && attempts.every((attempt) => isFinal(attempt))) {
      say(`commit ${commit.hash} was refused (${attempts[0]?.answer}) and is in the log at seq ${event.seq}`);
    }
  }
  for (const event of view.events)
    if (!asked.has(event.hash)) say(`event ${event.seq} of ${enclave} is a commit that nobody sent`);
  for (const [hash, answer] of view.receipts) {
    const asking = history.asked.find((one) => one.commit.hash === hash);
    const original = asking?.attempts.find((attempt) => isReceipt(attempt.answer));
    if (original && original.answer !== answer)
      say(`I4 the receipt of ${hash} reads back differently: ${answer.slice(0, 120)}`);
  }
}

/** I6: every tree head that was ever seen, against the last one. */
function checkHeads(history: History, view: View, verifier: Verifier, say: Say): void {
  const { sth } = view;
  const enclave = view.enclave.id;
  const all = [...history.heads.filter((head) => head.enclave === enclave), sth];
  const bySize = new Map<number, string>();
  for (const head of all) {
    if (!verifySth(head, verifier) || head.sequencer !== view.enclave.sequencer)
      say(`I6 a tree head of ${enclave} at ${head.ts} is not signed by its sequencer`);
    const same = bySize.get(head.ts);
    if (same !== undefined && same !== `${head.r}${head.t}`)
      say(`I6 two tree heads of ${enclave} with ${head.ts} bundles`);
    bySize.set(head.ts, `${head.r}${head.t}`);
    if (head.ts > sth.ts) say(`I6 a tree head of ${enclave} had ${head.ts} bundles, now there are ${sth.ts}`);
  }
  const proved = new Set([`${sth.ts}`]);
  for (const { from, to, path } of view.consistency) {
    const hashes = path?.map((node) => fromHex(node, 32)) ?? [];
    const good =
      path !== null &&
      hashes.every((node) => node !== null) &&
      verifyConsistency(from.ts, to.ts, unhex(from.r), unhex(to.r), hashes as Uint8Array[]);
    if (good) proved.add(`${from.ts}`);
    else say(`I6 tree head ${to.ts} of ${enclave} does not continue ${from.ts}`);
  }
  for (const ts of bySize.keys())
    if (ts <= sth.ts && !proved.has(`${ts}`)) say(`I6 tree head ${ts} of ${enclave} has no consistency proof`);
}

/** Bundle and inclusion proofs of sampled events lead to the signed tree head. */
function checkProofs(view: View, say: Say): void {
  const enclave = view.enclave.id;
  for (const { seq, bundle, inclusion } of view.proofs) {
    const event = view.events[seq];
    const bad = (why: string): void => say(`the proof of event ${seq} of ${enclave} fails: ${why}`);
    if (!event || !bundle || !inclusion) {
      bad('it is missing');
      continue;
    }
    if (
      bundle.event_id !== event.id ||
      inclusion.li !== bundle.leaf_index ||
      inclusion.bundle_size !== bundle.bundle_size
    )
      bad('it is about something else');
    if (inclusion.first_seq + bundle.bundle_index !== seq) bad('another place in the bundle');
    const root = unhex(inclusion.events_root);
    if (!verifyBundlePath(root, unhex(event.id), bundle.bundle_index, bundle.bundle_size, bundle.siblings.map(unhex)))
      bad('bundle');
    const leaf = ctLeaf(ctLeafData(root, unhex(inclusion.state_hash), inclusion.first_seq, inclusion.bundle_size));
    if (
      inclusion.ts !== view.sth.ts ||
      !verifyInclusion(unhex(view.sth.r), leaf, inclusion.li, view.sth.ts, inclusion.p.map(unhex))
    )
      bad('inclusion');
  }
}
