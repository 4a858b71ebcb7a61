import { Admin } from './admin.ts';
import { claim, is, isId, isText, shaped, told } from './check.ts';
import { type Clock, systemClock } from './clock.ts';
import { buildCommit, enclaveIdOf } from './commit.ts';
import { Conversation } from './conversation.ts';
import { Enclave } from './enclave.ts';
import { MemoryHeads, type TreeHeadStore } from './heads.ts';
import type { Key } from './keys.ts';
import { BACKOFF, type Backoff, type OnRetry, retrying } from './retry.ts';
import { nobleSecp, type Secp } from './secp.ts';
import { type Fetch, Transport } from './transport.ts';
import { Trust } from './trust.ts';
import type { Commit, Receipt, Tags } from './types.ts';

export interface EncClientOptions {
  readonly fetch?: Fetch | undefined;
  /** One attempt of one request, ms; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** How long reads are repeated while the node is away or busy, ms; default 15,000. Commits: until their `exp`. */
  readonly retryMs?: number | undefined;
  /** Waits between two attempts, ms; default 50, doubled up to 3,000. A node that asks for longer is heeded. */
  readonly backoff?: Backoff | undefined;
  /** Events remembered of each enclave, so that the node can't contradict itself on them; default 65,536 of about 300 bytes. */
  readonly sightings?: number | undefined;
  /** Faster curve operations; default @noble/curves. */
  readonly secp?: Secp | undefined;
  /** Where tree heads and sequencers are remembered; default: in memory. */
  readonly store?: TreeHeadStore | undefined;
  readonly clock?: Clock | undefined;
  /** Told before a request is repeated. */
  readonly onRetry?: OnRetry | undefined;
}

export interface OpenOptions {
  /** Who reads and commits. Without one, only public calls work. */
  readonly key?: Key | undefined;
  /** The first sequencer, if you know it from elsewhere: nobody else is believed then. */
  readonly sequencer?: string | undefined;
  /** The id was provisioned (init-with-priv) and does not follow from the Manifest. Needs `sequencer`. */
  readonly provisioned?: boolean | undefined;
}

export interface CreateOptions {
  readonly tags?: Tags | undefined;
  /** Unix ms; default: two minutes from now. */
  readonly exp?: number | undefined;
  /** False: leave `sequencer` out of the Manifest. Its readers must then believe the first sequencer they see. */
  readonly nameSequencer?: boolean | undefined;
  /** False: leave `nonce` out. The same Manifest of the same key is then the same enclave. */
  readonly nonce?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Created {
  readonly enclave: Enclave;
  readonly commit: Commit;
  readonly receipt: Receipt;
}

export interface NodeInfo {
  readonly name: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

/** A node, over HTTP. Nothing it says is handed on unchecked; see `Enclave`. */
export class EncClient {
  readonly transport: Transport;
  private readonly clock: Clock;
  private readonly secp: Secp;
  private readonly store: TreeHeadStore;
  private readonly retryMs: number;
  private readonly backoff: Backoff;
  private readonly sightings: number | undefined;
  private readonly onRetry: OnRetry | undefined;
  private readonly trusts = new Map<string, Trust>();

  constructor(url: string, options: EncClientOptions = {}) {
    this.transport = new Transport(url, { fetch: options.fetch, timeoutMs: options.timeoutMs });
    this.clock = options.clock ?? systemClock;
    this.secp = options.secp ?? nobleSecp;
    this.store = options.store ?? new MemoryHeads();
    this.retryMs = options.retryMs ?? 15_000;
    this.backoff = options.backoff ?? BACKOFF;
    this.sightings = options.sightings;
    this.onRetry = options.onRetry;
  }

  /** What the node says of itself (`GET /`). */
  async node(): Promise<NodeInfo> {
    const answer = await this.read(() => this.transport.json({ method: 'GET', path: '/' }));
    return told('node', answer, () => {
      claim(
        typeof answer === 'object' && answer !== null && isText((answer as NodeInfo).name),
        'it does not describe a node',
      );
      return answer as NodeInfo;
    });
  }

  /** An enclave on this node. No request is made yet. */
  enclave(id: string, options: OpenOptions = {}): Enclave {
    if (!isId(id)) throw new TypeError('An enclave id is 64 lower-case hex digits.');
    return new Enclave(this.talk(id, options));
  }

  /** The key that an enclave founded by this Manifest would get here (PROTOCOL §3). */
  async sequencerFor(from: string, manifest: unknown, tags?: Tags): Promise<string> {
    const body = JSON.stringify({ type: 'Sequencer', from, content: manifest, ...(tags ? { tags } : {}) });
    const answer = await this.read(() => this.transport.json({ method: 'POST', path: '/', body }));
    return told('Sequencer', answer, () => {
      return shaped<{ sequencer: string }>(answer, 'the answer', { type: is('Sequencer'), sequencer: isId }).sequencer;
    });
  }

  /**
   * Founds an enclave: adds a nonce, asks for the sequencer and names it in the Manifest, signs, sends with safe
   * repetition, and checks the receipt.
   */
  async create(key: Key, manifest: Readonly<Record<string, unknown>>, options: CreateOptions = {}): Promise<Created> {
    const { enclave, commit } = await this.prepare(key, manifest, options);
    return { enclave, commit, receipt: await enclave.submit(commit, { signal: options.signal }) };
  }

  /** The Manifest commit that `create` sends, and the enclave that it will found. Keep it to be able to send it again. */
  async prepare(
    key: Key,
    manifest: Readonly<Record<string, unknown>>,
    options: CreateOptions = {},
  ): Promise<Omit<Created, 'receipt'>> {
    let content: Record<string, unknown> = { ...manifest };
    if (options.nonce !== false && content['nonce'] === undefined) content = { ...content, nonce: randomNonce() };
    if (options.nameSequencer !== false && content['sequencer'] === undefined) {
      content = { ...content, sequencer: await this.sequencerFor(key.id, content, options.tags) };
    }
    const id = enclaveIdOf(key.id, content, options.tags);
    const exp = options.exp ?? this.clock.now() + 120_000;
    const commit = await buildCommit(key, { enclave: id, type: 'Manifest', content, exp, tags: options.tags });
    const sequencer =
      (content['sequencer'] as string | undefined) ?? (await this.sequencerFor(key.id, content, options.tags));
    const talk = this.talk(id, { key });
    await talk.trust.load();
    talk.trust.pin(sequencer, content['sequencer'] === undefined ? 'first-seen' : 'manifest');
    return { enclave: new Enclave(talk), commit };
  }

  /** Calls for operators, with the admin token. */
  admin(token?: string): Admin {
    return new Admin(this.transport, token, this.secp);
  }

  private talk(id: string, options: OpenOptions): Conversation {
    let trust = this.trusts.get(id);
    if (!trust) {
      trust = new Trust(id, this.store, this.sightings);
      this.trusts.set(id, trust);
    }
    return new Conversation(
      { ...options, retryMs: this.retryMs, backoff: this.backoff, onRetry: this.onRetry },
      { transport: this.transport, trust, secp: this.secp, clock: this.clock },
    );
  }

  private read<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, backoff, onRetry } = this;
    return retrying(attempt, { until: clock.now() + this.retryMs, clock, backoff, onRetry });
  }
}

function randomNonce(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}
