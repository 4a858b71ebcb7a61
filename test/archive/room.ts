import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Head } from '../../kernel/kernel.ts';
import { found, type Person, person, type TestNode } from '../../kernel/reference/memory-node.test-util.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import { openFileGuard } from '../../shard/guard/file-guard.ts';
import type { ReleaseGuard } from '../../shard/guard/release-guard.ts';
import { openEmbeddedLog } from '../../shard/log/embedded/index.ts';
import type { EnclaveLog, Epoch, LogKey } from '../../shard/log/enclave-log.ts';
import { emptyHead } from '../../shard/log/head-bytes.ts';
import { appended } from '../conformance/faulty-log.ts';

const owner: Person = person('archive owner');

/** An enclave of real, signed events in a real log and a real guard, step by step. */
export class Room implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'enc-room-'));
  readonly node: TestNode;
  readonly key: LogKey;
  log!: EnclaveLog;
  guard!: ReleaseGuard;
  #epoch!: Epoch;
  #head: Head;
  #released: Head;
  #skeleton = 0;
  #content = 0;

  private constructor(nonce: string) {
    this.node = found(owner, {
      nonce,
      bundle: { size: 100, timeout: 600_000 },
      RBAC: {
        states: ['OWNER'],
        readers: [{ type: 'OWNER', reads: '*' }],
        customs: [{ event: 'note', operator: 'OWNER', ops: ['C', 'U', 'D'] }],
        init: [{ identity: owner.id, state: 'OWNER', traits: [] }],
      },
    });
    this.key = { enclave: unhex(this.node.enclave), lane: 0 };
    this.#head = emptyHead(this.key.enclave);
    this.#released = this.#head;
  }

  static async make(nonce: string): Promise<Room> {
    const room = new Room(nonce);
    await room.openStores();
    await room.guard.create(room.key, room.#head);
    await room.flush();
    return room;
  }

  get enclave(): string {
    return this.node.enclave;
  }

  /** Opens log and guard, as a node that starts. */
  async openStores(): Promise<void> {
    this.log = await openEmbeddedLog({ folder: join(this.folder, 'log'), checkpointKey: new Uint8Array(32).fill(1) });
    this.guard = await openFileGuard({ folder: join(this.folder, 'guard') });
    this.#epoch = (await this.log.open(this.key, new Uint8Array(16).fill(1))).epoch;
  }

  async closeStores(): Promise<void> {
    await this.log.close();
    await this.guard.close();
  }

  /** Returns the id of the event. */
  async note(text: string): Promise<string> {
    return this.#send('note', { text });
  }

  async update(target: string, text: string): Promise<string> {
    return this.#send('Update', { target, content: { text } });
  }

  async delete(target: string): Promise<void> {
    await this.#send('Delete', { target }, [target]);
    await this.log.erased();
  }

  /** Closes the bundle; `release` false: the guard has not heard of it. */
  async close(release = true): Promise<void> {
    this.node.now += 10;
    this.node.close();
    await this.flush([], release);
  }

  async #send(type: string, content: unknown, deletes: readonly string[] = []): Promise<string> {
    this.node.now += 10;
    const result = this.node.send(owner, type, content);
    if (result.error !== null) throw new Error(`${type} is refused: ${result.error}`);
    await this.flush(deletes.map(unhex));
    return toHex(this.node.event(result.seq).id);
  }

  /** Writes what the node has sealed since, as one batch, and releases it. */
  async flush(deletes: readonly Uint8Array[] = [], release = true): Promise<void> {
    const { skeleton, content, events } = this.node.log;
    const next = this.node.kernel.head();
    const closings = next.bundles - this.#head.bundles + (this.#head.seq < 0 ? 1 : 0);
    const result = await appended(this.log, {
      key: this.key,
      epoch: this.#epoch,
      expected: this.#head,
      next,
      batch: {
        firstSeq: this.#head.seq + 1,
        events: next.seq - this.#head.seq,
        closings,
        skeleton: skeleton.slice(this.#skeleton),
        content: content.slice(this.#content),
      },
      timestamp: events.at(-1)?.timestamp ?? -1,
      dueAt: 0,
      deletes,
    });
    if (result !== 'ok') throw new Error(`the append is ${result}`);
    this.#head = next;
    this.#skeleton = skeleton.length;
    this.#content = content.length;
    if (release) await this.release();
  }

  async release(): Promise<void> {
    const [from, to] = [this.#released, this.#head];
    const result = await new Promise((done) => this.guard.advance({ key: this.key, from, to, done }));
    if (result !== 'ok') throw new Error(`the guard says ${String(result)}`);
    this.#released = to;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeStores();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
