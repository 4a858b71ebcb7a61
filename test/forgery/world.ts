import { TEMPLATES } from '../../cli/templates.ts';
import { EncClient } from '../../client/client.ts';
import type { Enclave } from '../../client/enclave.ts';
import type { Remembered, TreeHead, TreeHeadStore } from '../../client/heads.ts';
import { type Key, keyFromSecret } from '../../client/keys.ts';
import type { Secp } from '../../client/secp.ts';
import type { Commit, Receipt } from '../../client/types.ts';
import { type Person, person } from '../../kernel/reference/memory-node.test-util.ts';
import { HonestNode } from './honest-node.ts';

const URL_OF_NODE = 'http://node.test';

/** A store whose content can be set back, so that every forgery meets the same memory. */
export class FixedHeads implements TreeHeadStore {
  readonly kept = new Map<string, Remembered>();

  async get(enclave: string): Promise<Remembered | undefined> {
    return this.kept.get(enclave);
  }

  async put(enclave: string, remembered: Remembered): Promise<void> {
    this.kept.set(enclave, structuredClone(remembered));
  }

  copy(): FixedHeads {
    const copy = new FixedHeads();
    for (const [enclave, remembered] of this.kept) copy.kept.set(enclave, structuredClone(remembered));
    return copy;
  }
}

export type Tamper = (request: { path: string; body: Record<string, unknown> }, answer: unknown) => unknown;

/** A chat room with every kind of event on an honest node, and clients that meet it through a liar. */
export class World {
  readonly node: HonestNode;
  readonly secp: Secp;
  readonly alice: Key;
  readonly bob: Person = person('bob');
  readonly heads = new FixedHeads();
  enclave = '';
  commits: Commit[] = [];
  receipts: Receipt[] = [];
  /** Tree heads of one and two bundles. */
  older!: TreeHead;
  newer!: TreeHead;
  /** The answer that proved bob's state while only the first bundle was closed. */
  earlierState: unknown;

  constructor(secp: Secp, sequencer?: Person) {
    this.secp = secp;
    this.node = new HonestNode(secp, sequencer);
    this.alice = keyFromSecret(person('alice').secret, secp);
  }

  client(tamper?: Tamper, heads: TreeHeadStore = this.heads): EncClient {
    const { node, secp } = this;
    const fetch = tamper ? lying(node, tamper) : node.fetch;
    return new EncClient(URL_OF_NODE, { fetch, secp, clock: node.clock, store: heads, retryMs: 0 });
  }

  /** The room as alice sees it, through `tamper`. */
  room(tamper?: Tamper, heads?: TreeHeadStore): Enclave {
    return this.client(tamper, heads).enclave(this.enclave, { key: this.alice });
  }

  /** Two closed bundles and an open one: access events, messages updated and deleted, slots. */
  async fill(options: { nonce: string; nameSequencer?: boolean }): Promise<this> {
    const manifest = {
      ...(TEMPLATES['group'] as (owner: string) => Record<string, unknown>)(this.alice.id),
      nonce: options.nonce,
    };
    const { enclave, commit, receipt } = await this.client().create(this.alice, manifest, {
      nonce: false,
      nameSequencer: options.nameSequencer,
    });
    this.enclave = enclave.id;
    this.commits = [commit];
    this.receipts = [receipt];
    const act = async (type: string, content: unknown, tags?: string[][]): Promise<Receipt> => {
      this.node.now += 7;
      const built = await enclave.build(type, content, { tags });
      const got = await enclave.submit(built);
      this.commits.push(built);
      this.receipts.push(got);
      return got;
    };
    const bob = this.bob.id;
    await act('Move', { target: bob, from: 'OUTSIDER', to: 'MEMBER' });
    const first = await act('message', { text: 'first', list: [1, { a: null }] }, [['topic', 'x']]);
    await act('message', { text: 'second' });
    this.older = await this.client().admin().closeBundle(enclave);
    await this.room((request, answer) => {
      if (request.path === '/state') this.earlierState = answer;
      return answer;
    }).state({ member: bob });
    await act('Grant', { target: bob, trait: 'moderator' });
    await act('Shared', { key: 'topic', value: { name: 'proofs' } });
    await act('Update', { target: first.id, content: { text: 'first, corrected' } });
    const third = await act('message', { text: 'third' });
    await act('Delete', { target: third.id });
    this.newer = await this.client().admin().closeBundle(enclave);
    await act('message', { text: 'still open' });
    return this;
  }
}

function lying(node: HonestNode, tamper: Tamper): HonestNode['fetch'] {
  return async (url, init) => {
    const response = await node.fetch(url, init);
    const { pathname, search } = new URL(url);
    const body =
      typeof init.body === 'string' && init.body.startsWith('{')
        ? (JSON.parse(init.body) as Record<string, unknown>)
        : {};
    const answer: unknown = await response.json();
    return new Response(JSON.stringify(tamper({ path: pathname + search, body }, answer)), { status: response.status });
  };
}
