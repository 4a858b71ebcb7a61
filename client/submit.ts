import { errorOf, isErrorCode } from '../protocol/errors.ts';
import { claim, told } from './check.ts';
import type { Conversation } from './conversation.ts';
import { EncError, NeverAccepted, OutcomeUnknown, Refused } from './errors.ts';
import { isPassing, waitAfter } from './retry.ts';
import { isError } from './transport.ts';
import type { Commit, Receipt } from './types.ts';
import { checkReceipt } from './verify-event.ts';

export interface SubmitOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long to go on asking for the outcome after `exp`, ms. */
  readonly settleMs?: number | undefined;
}

const SETTLE_MS = 15_000;

/**
 * Sends a commit until its outcome is known: the same bytes again while the node is away or busy and `exp` has not
 * passed, which is safe because a commit has one hash and a hash one event (PROTOCOL §3); then asks for its receipt.
 * Returns the verified receipt. Throws Refused, NeverAccepted, OutcomeUnknown or NodeLied.
 */
export async function submit(talk: Conversation, commit: Commit, options: SubmitOptions = {}): Promise<Receipt> {
  await talk.settle();
  let uncertain = false;
  let answer: unknown;
  try {
    const call = { method: 'POST', path: '/', body: JSON.stringify(commit), signal: options.signal } as const;
    answer = await talk.send(call, commit.exp, (error) => (uncertain ||= isPassing(error)));
  } catch (error) {
    if (isPassing(error) || (uncertain && error instanceof Refused && error.code === 'expired')) {
      return outcome(talk, commit, options, error);
    }
    throw error;
  }
  return accept(talk, 'commit', answer, commit);
}

/**
 * Sends up to 1,000 commits in one request; what could not be taken at that moment is sent again. The answers stand in
 * the order of the commits: verified receipts, or the error that each met.
 */
export async function submitAll(
  talk: Conversation,
  commits: readonly Commit[],
  options: SubmitOptions = {},
): Promise<(Receipt | EncError)[]> {
  if (commits.length === 0) return [];
  await talk.settle();
  const results: (Receipt | EncError | undefined)[] = commits.map(() => undefined);
  let waiting = commits.map((_, i) => i);
  const until = Math.min(...commits.map((commit) => commit.exp));
  for (let n = 0; waiting.length > 0; n++) {
    const sent = waiting.map((i) => commits[i] as Commit);
    const answers = await sendArray(talk, sent, until, options);
    if (!answers) break;
    const again: number[] = [];
    let last: EncError | undefined;
    for (const [k, i] of waiting.entries()) {
      const one = await judge(talk, answers[k], sent[k] as Commit);
      if (one instanceof EncError && isPassing(one)) {
        again.push(i);
        last = one;
      } else results[i] = one;
    }
    waiting = again;
    if (waiting.length === 0) break;
    const wait = waitAfter(n, last, talk.clock, talk.backoff);
    if (talk.clock.now() + wait > until) break;
    await talk.clock.sleep(wait, options.signal);
  }
  for (const i of waiting) {
    results[i] = await outcome(talk, commits[i] as Commit, options).catch((error: unknown) => {
      if (error instanceof EncError && error.code !== 'node_lied') return error;
      throw error;
    });
  }
  return results as (Receipt | EncError)[];
}

/** The receipt of a commit that was sent earlier. Throws Refused(`event_not_found`) while there is none. */
export async function receiptOf(talk: Conversation, commit: Commit, signal?: AbortSignal): Promise<Receipt> {
  await talk.settle();
  const path = `/${commit.enclave}/receipt/${commit.hash}?sig=${commit.sig}`;
  const answer = await talk.ask({ method: 'GET', path, signal });
  return accept(talk, 'receipt', answer, commit);
}

/** `exp` has passed, or the node says so: what became of the commit (PROTOCOL §9, receipt). */
async function outcome(talk: Conversation, commit: Commit, options: SubmitOptions, cause?: unknown): Promise<Receipt> {
  const until = Math.max(talk.clock.now(), commit.exp) + (options.settleMs ?? SETTLE_MS);
  for (let n = 0; ; n++) {
    let met: unknown;
    try {
      return await receiptOf(talk, commit, options.signal);
    } catch (error) {
      met = error;
      options.signal?.throwIfAborted();
      if (error instanceof Refused && error.code === 'event_not_found') {
        const timestamp = error.fields['timestamp'];
        if (typeof timestamp === 'number' && timestamp >= commit.exp) throw new NeverAccepted(commit.hash, error);
      } else if (!isPassing(error) && !(error instanceof Refused && error.code === 'enclave_not_found')) throw error;
    }
    const wait = waitAfter(n, met, talk.clock, talk.backoff);
    if (talk.clock.now() + wait > until) throw new OutcomeUnknown(commit.hash, cause ?? met);
    await talk.clock.sleep(wait, options.signal);
  }
}

async function sendArray(
  talk: Conversation,
  commits: readonly Commit[],
  until: number,
  options: SubmitOptions,
): Promise<unknown[] | undefined> {
  const body = JSON.stringify(commits);
  let answer: unknown;
  try {
    answer = await talk.send({ method: 'POST', path: '/', body, signal: options.signal }, until);
  } catch (error) {
    if (isPassing(error)) return undefined;
    throw error;
  }
  return told('commits', answer, () => {
    claim(
      Array.isArray(answer) && answer.length === commits.length,
      `${commits.length} commits were sent, but the answer is not a list of as many`,
    );
    return answer as unknown[];
  });
}

async function judge(talk: Conversation, answer: unknown, commit: Commit): Promise<Receipt | EncError> {
  if (!isError(answer)) return accept(talk, 'commits', answer, commit);
  const { type: _type, error, message, ...fields } = answer;
  return new Refused(error, message, statusOf(error), fields);
}

async function accept(talk: Conversation, call: string, answer: unknown, commit: Commit): Promise<Receipt> {
  const receipt = told(call, answer, () => checkReceipt(answer, commit, talk.secp));
  await talk.admit(call, receipt);
  await talk.trust.save();
  return receipt;
}

function statusOf(code: string): number {
  return isErrorCode(code) ? errorOf(code).status : 500;
}
