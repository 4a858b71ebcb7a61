import { claim, is, isId, Mismatch, shaped, told } from './check.ts';
import type { Clock } from './clock.ts';
import { enclaveIdOf } from './commit.ts';
import { NodeLied, Refused } from './errors.ts';
import { checkInfo, shapeInfo } from './info.ts';
import type { Key } from './keys.ts';
import { BACKOFF, type Backoff, type OnRetry, retrying } from './retry.ts';
import type { Secp } from './secp.ts';
import { Sessions } from './sessions.ts';
import type { Call, Transport } from './transport.ts';
import type { Sighting, Trust } from './trust.ts';
import type { EncEvent, Info, Receipt } from './types.ts';
import { checkEvent } from './verify-event.ts';

export interface Modules {
  readonly transport: Transport;
  readonly trust: Trust;
  readonly secp: Secp;
  readonly clock: Clock;
}

export interface ConversationOptions {
  readonly key?: Key | undefined;
  /** The first sequencer, if the caller knows it from elsewhere. */
  readonly sequencer?: string | undefined;
  /** The enclave's id was provisioned (init-with-priv) and does not follow from its Manifest. Needs `sequencer`. */
  readonly provisioned?: boolean | undefined;
  /** How long reads are retried while the node is unreachable or busy, ms. */
  readonly retryMs: number;
  readonly backoff?: Backoff | undefined;
  readonly onRetry?: OnRetry | undefined;
}

/**
 * One reader, one enclave, one node: sessions, retries of reads, and whose signatures count. Before the first request
 * that needs it, the sequencer is settled: what the Manifest names, what the caller names, or the first one seen; later
 * another one is accepted only when a Migrate event, signed by the one before, names it (PROTOCOL §3, §5).
 */
export class Conversation {
  readonly enclave: string;
  readonly trust: Trust;
  readonly secp: Secp;
  readonly clock: Clock;
  readonly key: Key | undefined;
  readonly backoff: Backoff;
  private readonly transport: Transport;
  private readonly options: ConversationOptions;
  private readonly sessions: Sessions;
  private settling: Promise<void> | undefined;
  /** Content of the Manifest, once it was read. */
  manifest: Record<string, unknown> | undefined;

  constructor(options: ConversationOptions, modules: Modules) {
    if (options.provisioned && !options.sequencer)
      throw new TypeError('A provisioned enclave needs its sequencer named: nothing else says whom to believe.');
    this.options = options;
    this.enclave = modules.trust.enclave;
    this.trust = modules.trust;
    this.secp = modules.secp;
    this.clock = modules.clock;
    this.transport = modules.transport;
    this.key = options.key;
    this.backoff = options.backoff ?? BACKOFF;
    this.sessions = new Sessions(modules.clock);
  }

  /** A request that is safe to repeat, until `until` (Unix ms). `failed` is told of each attempt that had no answer. */
  send(call: Call, until: number, failed?: (error: unknown) => void): Promise<unknown> {
    const attempt = async (): Promise<unknown> => {
      try {
        return await this.transport.json(call);
      } catch (error) {
        failed?.(error);
        throw error;
      }
    };
    const { clock, backoff } = this;
    return retrying(attempt, { until, clock, backoff, signal: call.signal, onRetry: this.options.onRetry });
  }

  /** A request that changes nothing: repeated while the node is away or busy. */
  ask(call: Call): Promise<unknown> {
    return this.send(call, this.clock.now() + this.options.retryMs);
  }

  /** A request that needs a session. When the node refuses the token because the enclave has moved, follows it. */
  async askAs(path: string, fields: Record<string, unknown>, signal?: AbortSignal): Promise<unknown> {
    await this.settle();
    const first = this.sequencer;
    try {
      return await this.askWith(first, path, fields, signal);
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'invalid_session') throw error;
      await this.info();
      if (this.sequencer === first) throw error;
      return this.askWith(this.sequencer, path, fields, signal);
    }
  }

  get sequencer(): string {
    const { sequencer } = this.trust;
    if (sequencer === undefined) throw new Error('the sequencer is not settled');
    return sequencer;
  }

  /** Makes sure that the sequencer is known. Costs requests only at the first meeting with an enclave. */
  settle(): Promise<void> {
    this.settling ??= this.meet().catch((error: unknown) => {
      this.settling = undefined;
      throw error;
    });
    return this.settling;
  }

  /** Info, held against what is known (PROTOCOL §9). It is not signed: head and status are the node's word. */
  async info(): Promise<Info> {
    await this.settle();
    // As known when asking: what other calls learn meanwhile is no measure for this answer.
    const { head } = this.trust;
    const info = await this.rawInfo();
    if (info.sequencer !== this.sequencer) await this.follow('Info', info.sequencer);
    told('Info', info, () => checkInfo(info, { head, manifestId: this.trust.seen(0)?.id, manifest: this.manifest }));
    return info;
  }

  /** Throws NodeLied unless this is a sequencer of the enclave, now or in an earlier term. */
  async expectSequencer(call: string, sequencer: string): Promise<void> {
    if (!this.trust.terms.some((term) => term.sequencer === sequencer)) await this.follow(call, sequencer);
  }

  /** Takes in an event or receipt whose signatures were checked. Throws NodeLied if it contradicts what is known. */
  async admit(call: string, seen: EncEvent | Receipt): Promise<void> {
    await this.expectSequencer(call, seen.sequencer);
    if ('type' in seen && seen.type === 'Manifest') this.checkManifest(call, seen as EncEvent);
    this.trust.note(call, seen as Sighting);
  }

  private async meet(): Promise<void> {
    await this.trust.load();
    if (this.trust.sequencer !== undefined) {
      const { sequencer } = this.options;
      if (sequencer && this.trust.terms[0]?.sequencer !== sequencer) {
        throw new NodeLied(
          'Info',
          `the sequencer remembered for this enclave is ${this.trust.terms[0]?.sequencer}, not ${sequencer} as you say`,
        );
      }
      return;
    }
    if (this.options.sequencer) {
      this.trust.pin(this.options.sequencer, 'caller');
      return this.trust.save();
    }
    const info = await this.rawInfo();
    const manifest = await this.readManifest(info);
    if (manifest) {
      const named = told('Query', manifest, () => namedSequencer(manifest));
      this.checkManifest('Query', manifest);
      this.trust.pin(named ?? manifest.sequencer, named ? 'manifest' : 'first-seen');
      this.trust.note('Query', manifest);
    } else this.trust.pin(info.sequencer, 'first-seen');
    if (info.sequencer !== this.sequencer) await this.follow('Info', info.sequencer);
    await this.trust.save();
  }

  /** The Manifest, if this reader may read it. */
  private async readManifest(info: Info): Promise<EncEvent | undefined> {
    if (!this.key) return undefined;
    let answer: unknown;
    try {
      answer = await this.askWith(info.sequencer, '/', { type: 'Query', filter: { seq: 0, limit: 1 } });
    } catch (error) {
      if (error instanceof Refused && error.code === 'forbidden') return undefined;
      throw error;
    }
    return told('Query', answer, () => {
      const { events } = shaped<{ events: unknown[] }>(answer, 'the answer', {
        type: is('Response'),
        events: Array.isArray,
      });
      claim(events.length <= 1, 'there is more than one event 0');
      if (events.length === 0) return undefined;
      const event = checkEvent(events[0], this.enclave, this.secp);
      claim(event.seq === 0, 'it is not event 0');
      return event;
    });
  }

  /** The Manifest is the one the enclave's id is made from, and its sequencer the one it names. */
  private checkManifest(call: string, event: EncEvent): void {
    told(call, event, () => {
      claim(
        this.options.provisioned || enclaveIdOf(event.from, event.content, event.tags) === this.enclave,
        "the Manifest is not the one that the enclave's id is made from (of a provisioned enclave say so, and name its sequencer)",
      );
      const named = namedSequencer(event);
      claim(
        named === undefined || named === event.sequencer,
        'the Manifest names another sequencer than the one that signed it',
      );
      const first = this.trust.terms[0]?.sequencer;
      claim(
        first === undefined || first === event.sequencer,
        `the Manifest is signed by ${event.sequencer}, but the enclave's first sequencer is ${first}`,
      );
      if (named !== undefined) this.trust.confirm();
    });
    this.manifest = event.content as Record<string, unknown>;
  }

  /** Accepts `claimed` as the sequencer if a chain of Migrate events leads to it. Throws NodeLied if none does. */
  private async follow(call: string, claimed: string): Promise<void> {
    const former = this.sequencer;
    const unproved = new NodeLied(
      call,
      `the sequencer is said to be ${claimed} instead of ${former}, and no Migrate event that you may read proves it`,
    );
    if (!this.key) throw unproved;
    let answer: unknown;
    try {
      answer = await this.askWith(claimed, '/', { type: 'Query', filter: { type: 'Migrate', limit: 1000 } });
    } catch (error) {
      if (error instanceof Refused) throw unproved;
      throw error;
    }
    const moves = told('Query', answer, () => {
      const { events } = shaped<{ events: unknown[] }>(answer, 'the answer', {
        type: is('Response'),
        events: Array.isArray,
      });
      return events.map((event) => checkEvent(event, this.enclave, this.secp));
    });
    for (const move of moves) {
      if (this.trust.terms.some((term) => term.since === move.seq + 1)) continue;
      told('Query', move, () => {
        const content = move.content as { new_sequencer?: unknown; prev_seq?: unknown } | null;
        claim(move.type === 'Migrate', 'it is no Migrate event');
        claim(move.sequencer === this.sequencer, 'the Migrate event is not signed by the sequencer before it');
        claim(content?.prev_seq === move.seq - 1 && isId(content.new_sequencer), 'the Migrate event is malformed');
        claim(move.seq >= (this.trust.terms.at(-1)?.since ?? 0), 'the Migrate event is before the term it ends');
        this.trust.note('Query', move);
        this.trust.succeed(content?.new_sequencer as string, move.seq);
      });
    }
    if (this.sequencer !== claimed) throw unproved;
    await this.trust.save();
  }

  private async rawInfo(): Promise<Info> {
    const answer = await this.ask({
      method: 'POST',
      path: '/',
      body: JSON.stringify({ type: 'Info', enclave: this.enclave }),
    });
    return told('Info', answer, () => shapeInfo(answer, this.enclave));
  }

  private async askWith(
    sequencer: string,
    path: string,
    fields: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<unknown> {
    if (!this.key) throw new TypeError('This call needs a key: open the enclave with one.');
    const { type, ...rest } = fields;
    const session = await this.sessions.token(sequencer, this.key);
    const body = JSON.stringify({
      ...(type === undefined ? {} : { type }),
      enclave: this.enclave,
      from: this.key.id,
      session,
      ...rest,
    });
    return this.ask({ method: 'POST', path, body, signal });
  }
}

function namedSequencer(manifest: EncEvent): string | undefined {
  const content = manifest.content as Record<string, unknown> | null;
  const named = typeof content === 'object' && content !== null ? content['sequencer'] : undefined;
  if (named !== undefined && !isId(named)) throw new Mismatch('the Manifest names no proper sequencer');
  return named as string | undefined;
}
