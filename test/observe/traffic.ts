import assert from 'node:assert/strict';
import { unhex } from '../../protocol/hex.ts';
import { shardOf } from '../../protocol/jump.ts';
import { manifest, owner, receipted, stranger } from '../api/enclave.ts';
import { exchange, type RawAnswer } from '../api/http.ts';
import { founding, json, session, sign } from '../api/people.ts';
import { waitFor } from '../parts/wait-for.ts';

const DEADLINE_MS = 20_000;

/** What a client does at one front door, over and over: every kind of call, and some that are refused. */
export class Traffic {
  readonly url: string;
  readonly #now: () => number;
  readonly enclaves: { readonly id: string; readonly sequencer: string }[] = [];

  constructor(url: string, now: () => number = Date.now) {
    this.url = url;
    this.#now = now;
  }

  async found(): Promise<string> {
    const commit = founding(owner, manifest(), { exp: this.#exp() });
    const { sequencer } = receipted(await this.#settled(json(commit)), commit);
    this.enclaves.push({ id: commit.enclave, sequencer });
    return commit.enclave;
  }

  /** Three enclaves at least, and one on every shard. */
  async foundOnAll(shards: number): Promise<void> {
    const home = new Set<number>();
    for (let made = 0; made < 3 || home.size < shards; made++) home.add(shardOf(unhex(await this.found()), shards));
  }

  note(enclave: string, content: unknown = 'x', who = owner): string {
    return json(sign(who, enclave, 'note', content, { exp: this.#exp() }));
  }

  post(path: string, body: string): Promise<RawAnswer> {
    return exchange(this.url, { method: 'POST', path, body });
  }

  /** All of it once, for every enclave. */
  async round(): Promise<void> {
    for (const { id, sequencer } of this.enclaves) {
      const commit = sign(owner, id, 'note', 'counted', { exp: this.#exp() });
      const { seq } = receipted(await this.#settled(json(commit)), commit);
      receipted(await this.post('/', json(commit)), commit);
      const array = await this.post('/', `[${this.note(id)},${this.note(id, 'no', stranger)},${this.note(id)}]`);
      assert.equal(array.status, 200, array.body);
      const envelope = {
        enclave: id,
        from: owner.id,
        session: session(owner, sequencer, Math.floor(this.#now() / 1000) + 600),
      };
      await this.post('/', JSON.stringify({ type: 'Pull', ...envelope, limit: 100 }));
      await this.post('/', JSON.stringify({ type: 'Query', ...envelope, filter: {} }));
      await this.post(`/enclaves/${id}/close-bundle`, '');
      for (const path of [`/${id}/sth`, `/${id}/receipt/${commit.hash}?sig=${commit.sig}`, '/nowhere'])
        await exchange(this.url, { path });
      await this.post('/inclusion', JSON.stringify({ ...envelope, seq }));
      await this.post('/', '{"nonsense":1}');
    }
  }

  /** As every client does: what is unavailable is sent again. */
  #settled(commit: string): Promise<RawAnswer> {
    return waitFor('an answer', DEADLINE_MS, async () => {
      const answer = await this.post('/', commit);
      return answer.status < 500 ? answer : null;
    });
  }

  #exp(): number {
    return this.#now() + 60_000;
  }
}
