import { buildCommit } from '../../client/commit.ts';
import { EncError, NeverAccepted, NodeLied, OutcomeUnknown, Refused } from '../../client/errors.ts';
import type { Commit, Receipt } from '../../client/types.ts';
import type { Draft } from './drafts.ts';
import type { Findings } from './findings.ts';
import { STALE_MS } from './settings.ts';
import type { Site } from './site.ts';
import type { Tally } from './tally.ts';

export interface WriterModules {
  /** of a commit, ms */
  readonly lifetimeMs: number;
  readonly tally: Tally;
  readonly findings: Findings;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Refusals that say nothing of the commit: an operator, or a restart, may help. The SDK gives up at them, the hammer does not. */
const NOT_FINAL = new Set(['internal', 'enclave_regressed', 'enclave_not_found']);
/** before a commit is sent again that was refused so, or answered with a lie, ms */
const PAUSE_MS = 500;
/** The SDK need not wait for an outcome after a commit has expired: `decide` does, when all the others are done. */
const SETTLE = { settleMs: 1000 } as const;
/** Answers to one commit that do not check, after which it is not asked for again. */
const LIES = 3;

interface Sending {
  readonly commit: Commit;
  readonly draft: Draft;
  /** when it was due, Unix ms */
  readonly intended: number;
}

/**
 * Sends commits until their outcome is known and remembers what was acknowledged. Repetition with the same bytes, and the
 * check of each receipt, are the SDK's (client/submit.ts).
 */
export class Writer {
  readonly #m: WriterModules;

  constructor(modules: WriterModules) {
    this.#m = modules;
  }

  /** One commit alone, or several in one array. Resolves when each outcome is known or given up; never rejects for the node's sake. */
  async send(site: Site, drafts: readonly Draft[], intended: number): Promise<void> {
    const sendings = await Promise.all(
      drafts.map(async (draft) => ({ draft, intended, commit: await this.#sign(site, draft) })),
    );
    site.sent += sendings.length;
    for (const { commit } of sendings) site.open.add(commit.hash);
    const [only] = sendings;
    if (only && sendings.length === 1)
      return this.#settle(site, only, () => site.writer.submit(only.commit, SETTLE), false);
    const answers = await this.#array(site, sendings);
    await Promise.all(
      sendings.map((sending, i) =>
        this.#settle(
          site,
          sending,
          async () => {
            const answer = answers[i];
            if (answer === undefined) return site.writer.submit(sending.commit, SETTLE);
            if (answer instanceof EncError) throw answer;
            return answer;
          },
          true,
        ),
      ),
    );
  }

  /**
   * Tries once more to learn what became of a commit of unknown outcome. Once it has expired, nobody takes it any more; that
   * it never was taken, the node can say as soon as the enclave has an event of a later time (PROTOCOL §9, receipt).
   */
  async decide(site: Site, commit: Commit): Promise<void> {
    const expired = Date.now() >= commit.exp;
    try {
      this.#acknowledge(
        site,
        commit,
        await (expired ? site.writer.receipt(commit) : site.writer.submit(commit, SETTLE)),
      );
    } catch (error) {
      if (error instanceof NodeLied) {
        this.#lie(site, error);
        site.disputed.add(commit.hash);
      } else if (isNever(error, commit)) this.#m.tally.expire();
      else if (error instanceof EncError) return;
      else throw error;
    }
    site.undecided.delete(commit.hash);
    site.open.delete(commit.hash);
  }

  /** Answers in order, or nothing when the answer as a whole does not check: then each commit is sent alone. */
  async #array(site: Site, sendings: readonly Sending[]): Promise<(Receipt | EncError)[]> {
    try {
      return await site.writer.submitAll(
        sendings.map(({ commit }) => commit),
        SETTLE,
      );
    } catch (error) {
      if (!(error instanceof EncError)) throw error;
      if (error instanceof NodeLied) this.#lie(site, error);
      else this.#m.tally.error(error.code);
      return [];
    }
  }

  /** `sent`: it may have been accepted before the first attempt of this call. */
  async #settle(site: Site, sending: Sending, first: () => Promise<Receipt>, sent: boolean): Promise<void> {
    await this.#attempts(site, sending, first, sent);
    const { hash } = sending.commit;
    if (!site.undecided.has(hash)) site.open.delete(hash);
  }

  async #attempts(site: Site, sending: Sending, first: () => Promise<Receipt>, sent: boolean): Promise<void> {
    const { commit, draft, intended } = sending;
    const { tally } = this.#m;
    let attempt = first;
    for (let n = 0, lies = 0; ; n++, attempt = () => site.writer.submit(commit, SETTLE)) {
      try {
        const receipt = await attempt();
        tally.acknowledge(intended);
        this.#acknowledge(site, commit, receipt);
        return draft.settled(receipt);
      } catch (error) {
        const isFirst = n === 0 && !sent;
        if (error instanceof NeverAccepted || (isFirst && isExpired(error))) {
          tally.expire();
          return draft.settled(null);
        }
        if (error instanceof OutcomeUnknown || isExpired(error)) return void site.undecided.set(commit.hash, commit);
        if (error instanceof NodeLied) {
          this.#lie(site, error);
          if (++lies === LIES) return void site.disputed.add(commit.hash);
        } else if (error instanceof Refused) {
          tally.error(error.code);
          if (!this.#isPassing(error, draft)) return this.#refused(site, sending, error);
        } else throw error;
        if (Date.now() > commit.exp) return void site.undecided.set(commit.hash, commit);
        await this.#m.sleep(PAUSE_MS);
      }
    }
  }

  #isPassing({ code }: Refused, { target }: Draft): boolean {
    return (
      NOT_FINAL.has(code) ||
      (code === 'event_not_found' && target !== undefined && Date.now() - target.known < STALE_MS)
    );
  }

  #refused(site: Site, { commit, draft }: Sending, error: Refused): void {
    const { findings } = this.#m;
    if (error.code === 'event_not_found' && draft.target)
      findings.add(
        'proof',
        site.id,
        `the acknowledged event ${draft.target.id} was not found by ${commit.type} ${commit.hash}`,
      );
    else findings.add('refused', site.id, `${commit.type} ${commit.hash} was refused: ${error.code}`);
    draft.settled(null);
  }

  /** Holds a receipt, whose signature was checked, against all that was said before. */
  #acknowledge(site: Site, commit: Commit, receipt: Receipt): void {
    const { findings } = this.#m;
    const { seq, id } = receipt;
    if (seq >= site.sent)
      return findings.add(
        'proof',
        site.id,
        `a receipt names seq ${seq}, but only ${site.sent} commits were ever sent`,
        receipt,
      );
    const other = site.ledger.acknowledge(seq, id);
    if (other !== null)
      findings.add(
        'proof',
        site.id,
        `two events under seq ${seq}: ${other} and, in a receipt, ${id} (equivocation)`,
        receipt,
      );
    site.remember(commit, receipt);
  }

  #sign(site: Site, { by, type, content }: Draft): Promise<Commit> {
    return buildCommit(by, { enclave: site.id, type, content, exp: Date.now() + this.#m.lifetimeMs });
  }

  #lie(site: Site, error: NodeLied): void {
    const duplicate = error.what.startsWith('one commit was accepted twice');
    this.#m.findings.add(duplicate ? 'duplicate' : 'proof', site.id, `${error.call}: ${error.what}`, error.evidence);
  }
}

function isExpired(error: unknown): boolean {
  return error instanceof Refused && error.code === 'expired';
}

/** The commit was not accepted, and never will be. */
function isNever(error: unknown, commit: Commit): boolean {
  if (error instanceof NeverAccepted) return true;
  if (!(error instanceof Refused) || error.code !== 'event_not_found') return false;
  const head = error.fields['timestamp'];
  return typeof head === 'number' && head >= commit.exp;
}
