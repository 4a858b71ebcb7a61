import { enclaveIdOf } from '../../protocol/commit.ts';
import { parseEvent } from '../../protocol/event.ts';
import type { EnclaveId, EventId } from '../../protocol/hex.ts';
import { isObject, type Json, toJson } from '../../protocol/json.ts';
import { parseReceipt } from '../../protocol/receipt.ts';
import { parseSth } from '../../protocol/sth.ts';
import { type Asked, type Attempt, errorCode, History, type HostedEnclave, isFinal, isReceipt } from './history.ts';
import type { Random } from './random.ts';
import { call, commitJson, type Identity, identity, json, session, sign } from './wire.ts';

const EXP_AHEAD_MS = 540_000;
/** Of some: they expire while they are sent again. */
const EXP_SOON_MS = [20, 1500] as const;
/** ms between two attempts after a refused one: the node is being opened again, or is gone */
const RETRY_MS = 15;
/** A commit without a final answer after this long is a fault of its own. */
const GIVE_UP_MS = 90_000;

/** Where the clients find the node: the address changes with every life. */
export class Address {
  life = 0;
  #url: string | null = null;
  #waiting: ((url: string) => void)[] = [];

  up(url: string): void {
    this.life++;
    this.#url = url;
    for (const waiter of this.#waiting.splice(0)) waiter(url);
  }

  down(): void {
    this.#url = null;
  }

  get(): Promise<string> {
    return this.#url === null ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(this.#url);
  }
}

/** No final answer although a node was there for long enough. */
export class Stuck extends Error {}

export interface Enclave extends HostedEnclave {
  readonly owner: Identity;
  readonly members: readonly Identity[];
  /** ids of events that can be updated or deleted, with their authors */
  readonly notes: { readonly id: EventId; readonly by: Identity }[];
}

/** Clients of one node: they commit, repeat on every error with the same bytes, read, and write all of it down. */
export class Workload {
  readonly history: History;
  readonly enclaves: Enclave[];
  readonly #address: Address;
  readonly #random: Random;
  readonly #onReceipt: (() => void)[] = [];
  /** receipts so far */
  acknowledged = 0;
  readonly #giveUpMs: number;
  #serial = 0;

  /** `history`: of an earlier workload, whose enclaves this one goes on with */
  constructor(address: Address, random: Random, history = new History(), giveUpMs = GIVE_UP_MS) {
    this.#address = address;
    this.#random = random;
    this.history = history;
    this.enclaves = [...history.enclaves] as Enclave[];
    this.#giveUpMs = giveUpMs;
  }

  /** Resolves when `count` receipts more have come in. */
  receipts(count: number): Promise<void> {
    const wanted = this.acknowledged + count;
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.acknowledged < wanted) return;
        this.#onReceipt.splice(this.#onReceipt.indexOf(look), 1);
        resolve();
      };
      this.#onReceipt.push(look);
    });
  }

  /** A new enclave with an owner and two members. */
  async found(bundle: { size: number; timeout: number }): Promise<Enclave> {
    const [owner, ...members] = [0, 1, 2].map(() => identity(this.#random.bytes(32))) as [Identity, Identity, Identity];
    const content = toJson(manifest(owner, members, bundle, this.#random.int(0, 1e9)));
    const asked = await json(
      (await this.#call(JSON.stringify({ type: 'Sequencer', from: owner.id, content: JSON.parse(text(content)) })))
        .text,
    );
    const sequencer = isObject(asked as Json) ? String((asked as Map<string, Json>).get('sequencer')) : '';
    const id = enclaveIdOf(owner.id, content, []) as EnclaveId;
    const enclave: Enclave = { id, sequencer, bundle, owner, members, notes: [] };
    this.enclaves.push(enclave);
    this.history.enclaves.push(enclave);
    await this.ask([this.#commit(enclave, owner, 'Manifest', content)]);
    return enclave;
  }

  /** One client: commits until it has asked for `commits` of them. */
  async client(commits: number): Promise<void> {
    for (let asked = 0; asked < commits; ) {
      const size = this.#random.chance(0.25) ? this.#random.int(2, 16) : 1;
      const bodies = Array.from({ length: size }, () => this.#any());
      await this.ask(bodies);
      asked += size;
      if (this.#random.chance(0.1)) await this.#attempt(bodies, await this.#address.get());
      if (this.#random.chance(0.15)) await this.read(this.#random.pick(this.enclaves));
      if (this.#random.chance(0.1)) await this.lookUp(this.#random.pick(this.history.asked));
    }
  }

  /** Sends commits in one body until each has a final answer. */
  async ask(commits: readonly Asked[]): Promise<void> {
    const giveUp = Date.now() + this.#giveUpMs;
    let open = commits;
    while (open.length > 0) {
      const url = await this.#address.get();
      const twice = this.#random.chance(0.05);
      await Promise.all([this.#attempt(open, url), ...(twice ? [this.#attempt(open, url)] : [])]);
      for (const asked of open) if (isUnsure(asked)) await this.lookUp(asked);
      open = open.filter((asked) => !asked.attempts.some(isFinal));
      if (open.length === 0) return;
      if (Date.now() > giveUp)
        throw new Stuck(
          `no final answer for ${open.length} commits: ${open[0]?.attempts.at(-1)?.answer || 'connection lost'}`,
        );
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Sends some commits once more that have their receipts: the answer must be the same bytes. */
  async resend(count: number): Promise<void> {
    const answered = this.history.asked.filter(({ attempts }) => attempts.some(({ answer }) => isReceipt(answer)));
    const again = Array.from({ length: count }, () => this.#random.pick(answered));
    await this.#attempt(again, await this.#address.get());
  }

  /** What has become of a commit? Recorded; no answer is no answer. */
  async lookUp({ commit }: Asked): Promise<void> {
    const url = await this.#address.get();
    const sent = Date.now();
    const { text } = await call(url, `/${commit.enclave}/receipt/${commit.hash}?sig=${commit.sig}`);
    this.history.lookUps.push({ commit, sent, answer: text });
  }

  /** A look at the tree head and at some events. */
  async read(enclave: Enclave, after = this.#random.int(-1, 60)): Promise<void> {
    const url = await this.#address.get();
    const head = parseSth(json((await call(url, `/${enclave.id}/sth`)).text));
    if (head) this.history.remember(head);
    const body = {
      type: 'Pull',
      enclave: enclave.id,
      from: enclave.owner.id,
      session: session(enclave.owner, enclave.sequencer),
      after_seq: after,
      limit: 200,
    };
    const answer = json((await call(url, '/', JSON.stringify(body))).text);
    if (!isObject(answer as Json)) return;
    for (const item of ((answer as Map<string, Json>).get('events') ?? []) as Json[]) {
      const event = parseEvent(item);
      if (event) this.history.see({ enclave: enclave.id, seq: event.seq, id: event.id, hash: event.hash });
    }
  }

  /** One more harmless commit of the owner, for checks that a node goes on. */
  note(enclave: Enclave): Asked {
    return this.#commit(enclave, enclave.owner, 'note', toJson({ text: 'still here', n: ++this.#serial }));
  }

  async #call(body: string): Promise<{ text: string }> {
    for (;;) {
      const reply = await call(await this.#address.get(), '/', body);
      if (reply.status === 200) return reply;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #attempt(commits: readonly Asked[], url: string): Promise<void> {
    const sent = Date.now();
    const life = this.#address.life;
    const single = commits.length === 1;
    const bodies = commits.map((asked) => commitJson(asked.commit));
    const reply = await call(url, '/', single ? (bodies[0] as string) : `[${bodies.join(',')}]`);
    const answers =
      single || reply.status !== 200
        ? commits.map(() => reply.text)
        : (JSON.parse(reply.text) as object[]).map((answer) => JSON.stringify(answer));
    for (const [i, asked] of commits.entries())
      this.#note(asked, { sent, got: Date.now(), life, status: reply.status, answer: answers[i] ?? '' });
  }

  #note(asked: Asked, attempt: Attempt): void {
    const first = !asked.attempts.some((earlier) => isReceipt(earlier.answer));
    asked.attempts.push(attempt);
    if (!isReceipt(attempt.answer) || !first) return;
    this.acknowledged++;
    for (const look of [...this.#onReceipt]) look();
    const receipt = parseReceipt(json(attempt.answer));
    const enclave = this.enclaves.find((one) => one.id === asked.commit.enclave);
    const by = enclave && [enclave.owner, ...enclave.members].find((one) => one.id === asked.commit.from);
    if (receipt && by && asked.commit.type === 'note') enclave.notes.push({ id: receipt.id, by });
  }

  #commit(enclave: Enclave, by: Identity, type: string, content: Json, ahead = EXP_AHEAD_MS): Asked {
    const asked: Asked = {
      commit: sign(by, { enclave: enclave.id as EnclaveId, type, content, exp: Date.now() + ahead }),
      attempts: [],
    };
    this.history.asked.push(asked);
    return asked;
  }

  /** Any commit that this enclave knows; most are allowed. */
  #any(): Asked {
    const random = this.#random;
    const enclave = random.pick(this.enclaves);
    const by = random.pick([enclave.owner, ...enclave.members]);
    const n = ++this.#serial;
    const dice = random.next();
    if (dice < 0.04) return this.#commit(enclave, by, 'note', toJson({ n, text: 'soon' }), random.int(...EXP_SOON_MS));
    if (dice < 0.6) return this.#commit(enclave, by, 'note', toJson({ n, text: 'x'.repeat(random.int(0, 600)) }));
    if (dice < 0.7) return this.#commit(enclave, by, 'Shared', toJson({ key: `s${random.int(0, 9)}`, value: n }));
    if (dice < 0.78)
      return this.#commit(
        enclave,
        by,
        'Own',
        toJson(random.chance(0.8) ? { key: 'own', value: n } : { key: 'own', delete: true }),
      );
    const note = enclave.notes.length > 0 ? random.pick(enclave.notes) : null;
    if (note && dice < 0.85)
      return this.#commit(enclave, note.by, 'Update', toJson({ target: note.id, content: { n } }));
    if (note && dice < 0.88) return this.#commit(enclave, note.by, 'Delete', toJson({ target: note.id, n }));
    const target = identity(random.bytes(32)).id;
    if (dice < 0.95)
      return this.#commit(enclave, enclave.owner, 'Move', toJson({ target, from: 'OUTSIDER', to: 'MEMBER', n }));
    const member = random.pick(enclave.members).id;
    const type = random.pick(['Grant', 'Revoke']);
    if (dice < 0.98) return this.#commit(enclave, enclave.owner, type, toJson({ target: member, trait: 'helper', n }));
    const ops = [
      { type: 'Move', content: { target, from: 'OUTSIDER', to: 'MEMBER' } },
      { type: 'Grant', content: { target, trait: 'helper' } },
    ];
    return this.#commit(enclave, enclave.owner, 'AC_Bundle', toJson({ ops, n }));
  }
}

/** It has expired, and perhaps an attempt that was not answered had been in time. */
function isUnsure({ attempts }: Asked): boolean {
  return errorCode(attempts.at(-1)?.answer ?? '') === 'expired' && attempts.some((attempt) => !isFinal(attempt));
}

const text = (content: Json): string =>
  JSON.stringify(content, (_, value: unknown) => (value instanceof Map ? Object.fromEntries(value) : value));

function manifest(owner: Identity, members: readonly Identity[], bundle: object, n: number): object {
  const crud = ['C', 'U', 'D'];
  return {
    enc_v: 2,
    nonce: String(n),
    bundle,
    RBAC: {
      states: ['OWNER', 'MEMBER'],
      traits: ['root(0)', 'helper(2)'],
      readers: [
        { type: 'OWNER', reads: '*' },
        { type: 'MEMBER', reads: '*' },
      ],
      moves: [
        { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'OWNER', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'OWNER', ops: ['C'] },
      ],
      grants: [
        { event: 'Grant', operator: ['OWNER'], scope: ['MEMBER'], trait: ['helper'] },
        { event: 'Revoke', operator: ['OWNER'], scope: ['MEMBER'], trait: ['helper'] },
      ],
      slots: ['OWNER', 'MEMBER'].flatMap((operator) => [
        { event: 'Shared', operator, ops: crud, key: '*' },
        { event: 'Own', operator, ops: crud, key: '*' },
      ]),
      customs: [
        { event: 'note', operator: 'OWNER', ops: crud },
        { event: 'note', operator: 'MEMBER', ops: ['C'] },
        { event: 'note', operator: 'Sender', ops: ['U', 'D'] },
      ],
      init: [
        { identity: owner.id, state: 'OWNER', traits: ['root'] },
        ...members.map((member) => ({ identity: member.id, state: 'MEMBER', traits: [] })),
      ],
    },
  };
}
