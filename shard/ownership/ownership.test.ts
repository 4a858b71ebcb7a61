import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Counter } from 'prom-client';
import { candidates, type Topology } from '../../cluster/topology/topology.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { shardOf } from '../../protocol/jump.ts';
import type { EnclaveActor } from '../enclave/actor.ts';
import { nameOf } from '../enclave/name.ts';
import type { Epoch } from '../log/enclave-log.ts';
import { ownerNonce, shardOfNonce } from './owner-nonce.ts';
import { Ownership } from './ownership.ts';

const FENCED = errorNumber('fenced');
const UNAVAILABLE = errorNumber('unavailable');

/** The first enclave id whose shards, of `shards`, are in this order. */
function enclave(shards: number, ...order: readonly number[]): Uint8Array {
  for (let n = 0; ; n++) {
    const id = Buffer.alloc(32);
    id.writeUInt32BE(n);
    const all = [...candidates(id, shards)];
    if (order.every((shard, i) => all[i] === shard)) return id;
  }
}

interface Actor {
  readonly key: { enclave: Uint8Array; lane: 0 };
  readonly epoch: Epoch;
  dropped: boolean;
  idle: boolean;
  readers: number;
  openedAt: number;
  confirmedAt: number;
  confirming: Promise<void> | null;
  drop(error: number): void;
}

const counter = (): Counter => new Counter({ name: 'enc_test_total', help: 'what is counted', registers: [] });
const countOf = async (count: Counter): Promise<number> => (await count.get()).values[0]?.value ?? 0;

/** Shard 0 with what it has open, what it sees of the cluster, and what the log says. */
class Scene implements Disposable {
  topology: Topology = { version: 1, shards: 3, before: 0 };
  readonly beats = new Map<number, unknown>([
    [0, {}],
    [1, {}],
    [2, {}],
  ]);
  readonly open = new Map<string, Actor>();
  readonly owners = new Map<string, Epoch>();
  logAnswers: 'yes' | 'no' | 'never' = 'yes';
  asked = 0;
  readonly letGo: Actor[] = [];
  readonly takeOvers = counter();
  readonly givenBack = counter();
  readonly rules: Ownership;

  constructor() {
    const scene = this;
    this.rules = new Ownership({
      shard: 0,
      metrics: this,
      view: {
        get topology() {
          return scene.topology;
        },
        beats: this.beats,
      },
      log: {
        owner: async (key) => {
          scene.asked++;
          if (scene.logAnswers === 'no') throw new Error('no connection');
          if (scene.logAnswers === 'never') return new Promise(() => {});
          return scene.owners.get(nameOf(key.enclave)) ?? null;
        },
      },
      enclaves: {
        has: (name) => this.open.has(name),
        actors: () => [...this.open.values()].values() as unknown as IterableIterator<EnclaveActor>,
        letGo: (actor) => {
          this.open.delete(nameOf(actor.key.enclave));
          this.letGo.push(actor as unknown as Actor);
        },
      },
    });
  }

  /** Shard 0 has it open under an epoch of its own. */
  opens(id: Uint8Array): Actor {
    const epoch = { counter: 1, nonce: ownerNonce(0) };
    const actor: Actor = {
      key: { enclave: id, lane: 0 },
      epoch,
      dropped: false,
      idle: true,
      readers: 0,
      openedAt: performance.now(),
      confirmedAt: performance.now(),
      confirming: null,
      drop: () => {
        actor.dropped = true;
        this.open.delete(nameOf(id));
      },
    };
    this.open.set(nameOf(id), actor);
    this.owners.set(nameOf(id), epoch);
    this.rules.opened(actor as unknown as EnclaveActor);
    return actor;
  }

  /** Another shard raises the epoch. */
  taken(id: Uint8Array, by: number): void {
    this.owners.set(nameOf(id), { counter: 2, nonce: ownerNonce(by) });
    this.open.delete(nameOf(id));
  }

  confirm(actor: Actor): Promise<number> {
    return this.rules.confirm(actor as unknown as EnclaveActor);
  }

  [Symbol.dispose](): void {
    this.rules.close();
  }
}

test('an owner nonce names its shard and nobody else has it', () => {
  assert.equal(shardOfNonce(ownerNonce(7)), 7);
  assert.equal(shardOfNonce(ownerNonce(null)), null);
  assert.notDeepEqual(ownerNonce(7), ownerNonce(7));
});

describe('what a shard serves', () => {
  test('is what it has open, what it is the first choice of, and what it is asked to take over', () => {
    using scene = new Scene();
    const mine = enclave(3, 0);
    const other = enclave(3, 1, 0);
    assert.equal(scene.rules.admit(mine, false), null);
    assert.deepEqual(scene.rules.admit(other, false), { shard: 1, released: true });
    assert.equal(scene.rules.admit(other, true), null);
    scene.opens(other);
    assert.equal(scene.rules.admit(other, false), null);
  });

  test('what was fenced away is at its owner, until a newer topology or a router says otherwise', async () => {
    using scene = new Scene();
    const mine = enclave(3, 0);
    scene.opens(mine);
    scene.taken(mine, 2);
    assert.deepEqual(await scene.rules.lost(mine), { shard: 2, released: false });
    assert.deepEqual(scene.rules.admit(mine, false), { shard: 2, released: false });
    scene.topology = { version: 2, shards: 3, before: 3 };
    assert.equal(scene.rules.admit(mine, false), null);
    await scene.rules.lost(mine);
    assert.equal(scene.rules.admit(mine, true), null);
    assert.equal(scene.rules.admit(mine, false), null);
  });

  test('a log that can not say whose it is makes nobody the owner', async () => {
    using scene = new Scene();
    scene.logAnswers = 'no';
    assert.deepEqual(await scene.rules.lost(enclave(3, 0)), { shard: null, released: false });
  });

  test('a shard that drains opens nothing more', () => {
    using scene = new Scene();
    scene.rules.drain();
    assert.deepEqual(scene.rules.admit(enclave(3, 0), false), { shard: null, released: true });
    assert.deepEqual(scene.rules.admit(enclave(3, 0), true), { shard: null, released: true });
    assert.deepEqual(scene.rules.admit(enclave(3, 1), true), { shard: 1, released: true });
  });
});

describe('opening', () => {
  test('does not take an enclave from a shard that is alive, unless a router asks for it or it has just moved here', async () => {
    using scene = new Scene();
    const mine = enclave(3, 0);
    const epoch = { counter: 1, nonce: ownerNonce(2) };
    assert.equal(scene.rules.mayOpen(mine, epoch), false);
    scene.beats.delete(2);
    assert.equal(scene.rules.mayOpen(mine, epoch), true);
    scene.beats.set(2, {});
    scene.rules.admit(mine, true);
    assert.equal(scene.rules.mayOpen(mine, epoch), true);
    assert.equal(scene.rules.mayOpen(mine, epoch), false, 'the word of a router is good once');
    assert.equal(await countOf(scene.takeOvers), 0, 'it has not been opened yet');
    scene.opens(mine);
    scene.opens(mine);
    assert.equal(await countOf(scene.takeOvers), 1);
    assert.equal(scene.rules.mayOpen(mine, null), true);
    assert.equal(scene.rules.mayOpen(mine, { counter: 9, nonce: ownerNonce(0) }), true);
    assert.equal(scene.rules.mayOpen(mine, { counter: 9, nonce: ownerNonce(5) }), true, 'no shard of this topology');
    // 3 shards become 2: what shard 2 had is now the first choice of shard 0, which shard 1 may have meanwhile.
    const moved = Array.from({ length: 200 }, (_, n) => Buffer.alloc(32, n)).find(
      (id) => shardOf(id, 3) === 2 && shardOf(id, 2) === 0,
    ) as Buffer;
    scene.topology = { version: 2, shards: 2, before: 3 };
    assert.equal(scene.rules.mayOpen(moved, { counter: 1, nonce: ownerNonce(1) }), true);
    const kept = Array.from({ length: 200 }, (_, n) => Buffer.alloc(32, n)).find(
      (id) => shardOf(id, 3) === 0 && shardOf(id, 2) === 0,
    ) as Buffer;
    assert.equal(scene.rules.mayOpen(kept, { counter: 1, nonce: ownerNonce(1) }), false);
  });

  test('of its own accord a shard wakes what it is the first living candidate of', () => {
    using scene = new Scene();
    assert.equal(scene.rules.mayWake(enclave(3, 0)), true);
    const second = enclave(3, 1, 0);
    assert.equal(scene.rules.mayWake(second), false);
    scene.beats.delete(1);
    assert.equal(scene.rules.mayWake(second), true);
  });
});

describe('giving back', () => {
  const soon = (): number => performance.now() + 20_000;

  test('happens at an idle moment, when the first choice has been alive for a while, and not before 10 s', async () => {
    using scene = new Scene();
    const actor = scene.opens(enclave(3, 1, 0));
    const own = scene.opens(enclave(3, 0));
    scene.beats.delete(1);
    assert.equal(scene.rules.giveBack(soon()), 0, 'its first choice is dead');
    scene.beats.set(1, {});
    assert.equal(scene.rules.giveBack(soon()), 0, 'it has only just come back');
    actor.idle = false;
    assert.equal(scene.rules.giveBack(soon() + 2000), 0, 'it is busy');
    actor.idle = true;
    actor.readers = 1;
    assert.equal(scene.rules.giveBack(soon() + 2000), 0, 'somebody reads');
    actor.readers = 0;
    actor.openedAt = soon() + 2000 - 9000;
    assert.equal(scene.rules.giveBack(soon() + 2000), 0, 'it came less than 10 s ago');
    assert.equal(scene.rules.guests, 1);
    assert.equal(scene.rules.giveBack(soon() + 5000), 1);
    assert.deepEqual(scene.letGo, [actor]);
    assert.equal(await countOf(scene.givenBack), 1);
    assert.equal(scene.rules.guests, 0);
    assert.ok(scene.open.has(nameOf(own.key.enclave)));
    assert.deepEqual(scene.rules.admit(actor.key.enclave, false), { shard: 1, released: true });
  });

  test('a new topology makes guests of what it moves, exactly', () => {
    using scene = new Scene();
    scene.topology = { version: 1, shards: 1, before: 0 };
    const ids = Array.from({ length: 200 }, (_, n) => Buffer.alloc(32, n));
    for (const id of ids) scene.opens(id);
    scene.rules.giveBack();
    assert.equal(scene.rules.guests, 0);
    scene.topology = { version: 2, shards: 3, before: 1 };
    scene.rules.giveBack();
    const moved = ids.filter((id) => shardOf(id, 3) !== 0).length;
    assert.equal(scene.rules.guests, moved);
    assert.equal(scene.rules.giveBack(performance.now() + 2000), moved, 'they did not bounce: they need not be held');
  });
});

describe('reads', () => {
  test('trust the log for a second, and ask it again then, together', async () => {
    using scene = new Scene();
    const actor = scene.opens(enclave(3, 0));
    assert.equal(await scene.confirm(actor), 0);
    assert.equal(scene.asked, 0);
    actor.confirmedAt -= 1500;
    assert.deepEqual(await Promise.all([scene.confirm(actor), scene.confirm(actor)]), [0, 0]);
    assert.equal(scene.asked, 1);
    assert.equal(await scene.confirm(actor), 0);
    assert.equal(scene.asked, 1);
  });

  test('end with whoever was fenced, though it never appends', async () => {
    using scene = new Scene();
    const actor = scene.opens(enclave(3, 0));
    actor.confirmedAt -= 1500;
    scene.taken(actor.key.enclave, 1);
    assert.equal(await scene.confirm(actor), FENCED);
    assert.equal(actor.dropped, true);
  });

  test('end when the log has been silent for 2 s', async () => {
    for (const logAnswers of ['no', 'never'] as const) {
      using scene = new Scene();
      scene.logAnswers = logAnswers;
      const actor = scene.opens(enclave(3, 0));
      actor.confirmedAt -= 1900;
      assert.equal(await scene.confirm(actor), logAnswers === 'no' ? 0 : UNAVAILABLE);
      actor.confirmedAt -= 200;
      assert.equal(await scene.confirm(actor), UNAVAILABLE);
      assert.equal(actor.dropped, false);
    }
  });
});
