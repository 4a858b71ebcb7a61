import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Commit } from '../../protocol/commit.ts';
import { type ErrorCode, errorBody, errorOf } from '../../protocol/errors.ts';
import { parseJson } from '../../protocol/json.ts';
import { parseReceipt, type Receipt, receiptJson, verifyReceipt } from '../../protocol/receipt.ts';
import type { RawAnswer } from './http.ts';
import type { TestNode } from './node.ts';
import { founding, json, type Person, person, type Signing, secp, session, sign } from './people.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Asserts a refusal: status, content type and every byte of the body. */
export function refused(answer: RawAnswer, code: ErrorCode, detail = ''): void {
  assert.equal(answer.body, errorBody(code, detail));
  assert.equal(answer.status, errorOf(code).status);
  assert.equal(answer.headers['content-type'], JSON_TYPE);
}

/** Asserts an answer of exactly these bytes. */
export function answered(answer: RawAnswer, body: string): void {
  assert.equal(answer.body, body);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], JSON_TYPE);
}

/** Asserts a receipt for exactly this commit, canonical, signed by the sequencer it names. */
export function receipted(answer: RawAnswer | string, commit: Commit): Receipt {
  const body = typeof answer === 'string' ? answer : answer.body;
  const receipt = parseReceipt(parseJson(Buffer.from(body))?.value ?? null);
  assert.ok(receipt, body);
  assert.equal(verifyReceipt(receipt, commit, secp), null);
  assert.equal(receiptJson(receipt), body, 'a receipt is canonical');
  if (typeof answer !== 'string') assert.equal(answer.status, 200);
  return receipt;
}

export const owner = person('owner');
export const member = person('member');
export const reader = person('reader');
export const stranger = person('stranger');

/** An enclave with something of everything: ranks, gates, slots, readers, lifecycle. */
export function manifest(more: object = {}, rbac: object = {}): { [key: string]: unknown } {
  return {
    enc_v: 2,
    nonce: randomBytes(8).toString('hex'),
    bundle: { size: 4, timeout: 600_000 },
    RBAC: {
      states: ['MEMBER', 'READER', 'BLOCKED'],
      traits: ['owner(0)', 'admin(1)', 'mod(2)'],
      readers: [
        { type: 'owner', reads: '*' },
        { type: 'READER', reads: ['note', 'Update', 'Delete'] },
        { type: 'MEMBER', reads: ['chat', 'Update', 'Delete', 'Move', 'Shared'], retention: 'snapshot' },
      ],
      moves: [
        { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'owner', ops: ['C'] },
        {
          event: 'Move',
          from: 'OUTSIDER',
          to: 'READER',
          operator: 'Self',
          ops: ['C'],
          alias: 'door',
          gate: { operator: ['owner'], open: false },
        },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'mod', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'owner', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'BLOCKED', operator: 'mod', ops: ['C'] },
        { event: 'Move', from: 'BLOCKED', to: 'OUTSIDER', operator: 'admin', ops: ['C'] },
        { event: 'Move', from: 'READER', to: 'OUTSIDER', operator: 'Self', ops: ['C'] },
      ],
      grants: [
        { event: 'Grant', operator: ['owner'], scope: ['MEMBER', 'OUTSIDER'], trait: ['admin', 'mod'] },
        { event: 'Grant', operator: ['admin'], scope: ['MEMBER'], trait: ['admin', 'mod'] },
        { event: 'Revoke', operator: ['owner', 'admin', 'Self'], scope: ['MEMBER'], trait: ['admin', 'mod'] },
      ],
      transfers: [{ event: 'Transfer', operator: ['owner'], scope: ['MEMBER'], trait: ['owner'] }],
      slots: [
        { event: 'Shared', operator: 'owner', ops: ['C', 'U', 'D', 'R'], key: 'topic' },
        { event: 'Own', operator: 'MEMBER', ops: ['C', 'U', 'R'], key: 'profile/*' },
      ],
      lifecycle: [
        { event: 'Pause', operator: 'owner', ops: ['C'] },
        { event: 'Resume', operator: 'owner', ops: ['C'] },
        { event: 'Terminate', operator: 'owner', ops: ['C'] },
        { event: 'Migrate', operator: 'owner', ops: ['C'] },
      ],
      customs: [
        { event: 'note', operator: 'owner', ops: ['C', 'U', 'D'] },
        { event: 'chat', operator: 'MEMBER', ops: ['C'] },
        { event: 'chat', operator: 'Sender', ops: ['U', 'D'] },
        { event: 'feed', operator: 'MEMBER', ops: ['C', 'P'] },
        { event: 'muted', operator: 'MEMBER', ops: ['C'] },
        { event: 'muted', operator: 'mod', ops: ['_C'] },
      ],
      init: [
        { identity: owner.id, state: 'MEMBER', traits: ['owner'] },
        { identity: member.id, state: 'MEMBER', traits: [] },
        { identity: reader.id, state: 'READER', traits: [] },
      ],
      ...rbac,
    },
    ...more,
  };
}

/** One enclave on a node, seen from outside. */
export class TestEnclave {
  readonly node: TestNode;
  readonly id: string;
  readonly sequencer: string;
  readonly manifest: Commit;

  constructor(node: TestNode, manifestCommit: Commit, sequencer: string) {
    this.node = node;
    this.id = manifestCommit.enclave;
    this.sequencer = sequencer;
    this.manifest = manifestCommit;
  }

  static async found(node: TestNode, content: unknown = manifest(), who = owner): Promise<TestEnclave> {
    const commit = founding(who, content, { exp: node.now() + 60_000 });
    const receipt = receipted(await node.post('/', json(commit)), commit);
    assert.equal(receipt.seq, 0);
    return new TestEnclave(node, commit, receipt.sequencer);
  }

  exp(): number {
    return this.node.now() + 60_000;
  }

  sign(who: Person, type: string, content: unknown, signing: Partial<Signing> = {}): Commit {
    return sign(who, this.id, type, content, { exp: this.exp(), ...signing });
  }

  async send(who: Person, type: string, content: unknown, signing: Partial<Signing> = {}): Promise<RawAnswer> {
    return this.node.post('/', json(this.sign(who, type, content, signing)));
  }

  async commit(who: Person, type: string, content: unknown, signing: Partial<Signing> = {}): Promise<Receipt> {
    const commit = this.sign(who, type, content, signing);
    return receipted(await this.node.post('/', json(commit)), commit);
  }

  session(who: Person): string {
    return session(who, this.sequencer, Math.floor(this.node.now() / 1000) + 600);
  }

  envelope(who: Person): { enclave: string; from: string; session: string } {
    return { enclave: this.id, from: who.id, session: this.session(who) };
  }

  query(who: Person, filter: unknown = {}): Promise<RawAnswer> {
    return this.node.post('/', { type: 'Query', ...this.envelope(who), filter });
  }

  async events(who: Person, filter: unknown = {}): Promise<Record<string, unknown>[]> {
    const answer = await this.query(who, filter);
    assert.equal(answer.status, 200, answer.body);
    return (JSON.parse(answer.body) as { events: Record<string, unknown>[] }).events;
  }

  pull(who: Person, more: object = {}): Promise<RawAnswer> {
    return this.node.post('/', { type: 'Pull', ...this.envelope(who), ...more });
  }

  call(path: string, who: Person, more: object): Promise<RawAnswer> {
    return this.node.post(path, { ...this.envelope(who), ...more });
  }

  async info(): Promise<Record<string, unknown>> {
    return JSON.parse((await this.node.post('/', { type: 'Info', enclave: this.id })).body) as Record<string, unknown>;
  }

  closeBundle(): Promise<RawAnswer> {
    return this.node.post(`/enclaves/${this.id}/close-bundle`, '');
  }

  /** All that is visible of what the enclave holds: Info, tree head and every event. */
  async trace(): Promise<string> {
    const [info, sth, events] = await Promise.all([
      this.node.post('/', { type: 'Info', enclave: this.id }),
      this.node.get(`/${this.id}/sth`),
      this.pull(owner, { limit: 1000 }),
    ]);
    return [info.body, sth.body, events.body].join('\n');
  }
}
