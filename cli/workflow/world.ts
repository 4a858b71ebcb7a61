import { EncClient } from '../../client/client.ts';
import type { Enclave } from '../../client/enclave.ts';
import { Refused } from '../../client/errors.ts';
import type { TreeHead } from '../../client/heads.ts';
import { type Key, keyFromSecret, newSecret } from '../../client/keys.ts';
import type { Secp } from '../../client/secp.ts';
import type { Commit, Receipt } from '../../client/types.ts';
import { expect, refused } from './runner.ts';

const PATIENCE = 60_000;

/** A node under test, people with fresh keys, and what they do there. Every action may be repeated safely. */
export class World {
  readonly client: EncClient;
  readonly token: string | undefined;
  private readonly secp: Secp;
  private readonly deadline: number;
  private readonly people = new Map<string, Key>();
  private readonly commits = new Map<string, Commit>();
  private readonly seen = new Set<string>();
  private genesis: { enclave: Enclave; commit: Commit } | undefined;
  private founded: Enclave | undefined;

  constructor(remote: string, secp: Secp, token: string | undefined, deadline: number) {
    this.secp = secp;
    this.token = token;
    this.deadline = deadline;
    this.client = new EncClient(remote, { secp, timeoutMs: 5_000, retryMs: Math.min(PATIENCE, deadline - Date.now()) });
  }

  /** A person's key: the same whenever the name is used. */
  person(name: string): Key {
    const key = this.people.get(name) ?? keyFromSecret(newSecret(this.secp), this.secp);
    this.people.set(name, key);
    return key;
  }

  get enclave(): Enclave {
    expect(this.founded, 'there is no enclave yet');
    return this.founded;
  }

  /** The enclave as this person sees it. */
  as(name: string): Enclave {
    return this.client.enclave(this.enclave.id, { key: this.person(name) });
  }

  /** Founds the enclave; a repetition sends the same Manifest. */
  async found(name: string, manifest: Record<string, unknown>): Promise<Receipt> {
    this.genesis ??= await this.client.prepare(this.person(name), manifest, { exp: this.expiry() });
    const receipt = await this.genesis.enclave.submit(this.genesis.commit);
    this.founded = this.genesis.enclave;
    return receipt;
  }

  /** Sends a commit under a label: a repetition sends the same bytes, so it has one effect. */
  async commit(label: string, name: string, type: string, content: unknown, tags?: string[][]): Promise<Receipt> {
    const enclave = this.as(name);
    let commit = this.commits.get(label);
    if (!commit) {
      commit = await enclave.build(type, content, { tags, exp: this.expiry() });
      this.commits.set(label, commit);
    }
    return enclave.submit(commit);
  }

  /**
   * The call must be refused with exactly this code. What was seen once is not tried again when a step is repeated:
   * later actions of the step may have changed what is allowed.
   */
  async refused(code: string, label: string, call: () => Promise<unknown>): Promise<string> {
    if (!this.seen.has(label)) await refused(code, call);
    this.seen.add(label);
    return code;
  }

  /** What was sent under a label. */
  sent(label: string): Commit {
    const commit = this.commits.get(label);
    expect(commit, `"${label}" was not sent`);
    return commit;
  }

  /** Closes the open bundle: as the operator where that is allowed, else by waiting for its time-out. */
  async close(covering: number): Promise<TreeHead> {
    try {
      await this.client.admin(this.token).closeBundle(this.enclave);
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== 'unauthorized') throw error;
    }
    return this.covered(covering);
  }

  /** Waits until the bundle of event `seq` is closed. */
  async covered(seq: number): Promise<TreeHead> {
    for (;;) {
      try {
        await this.enclave.bundle({ seq });
        return await this.enclave.sth();
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== 'bundle_open' || Date.now() > this.deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
  }

  /** As late as the node and the deadline allow. */
  private expiry(): number {
    const now = Date.now();
    return Math.max(now + 10_000, Math.min(this.deadline, now + 300_000));
  }
}
