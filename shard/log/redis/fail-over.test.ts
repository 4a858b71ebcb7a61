import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { appended } from '../../../test/conformance/faulty-log.ts';
import { SampleEnclave } from '../../../test/conformance/sample-records.ts';
import {
  namedPrimary,
  SENTINEL_NAME,
  sentinelMissing,
  startReplicated,
  startSentinels,
} from '../../../test/parts/redis.ts';
import { waitFor } from '../../../test/parts/wait-for.ts';
import type { AppendResult, Batch, EnclaveLog, Epoch } from '../enclave-log.ts';
import { openRedisLog } from './index.ts';

const checkpointKey = new Uint8Array(32).fill(1);
/** Now and then two Sentinels are elected one behind the other, and each promotes a replica. Until they agree again, some
 *  15 s later, no primary has a replica, and nothing is acknowledged. */
const SETTLED_MS = 60_000;

describe('the log while Sentinel promotes a replica', { skip: sentinelMissing }, () => {
  for (const how of ['killed', 'frozen'] as const) {
    test(`primary ${how}: no acknowledged event is missing, none is there twice, and the former owner is fenced`, async () => {
      const set = await startReplicated(2);
      const sentinels = await startSentinels(set);
      const servers = [set.primary, ...set.replicas];
      const at = { name: SENTINEL_NAME, sentinels: sentinels.map((sentinel) => sentinel.address) };
      const open = (): Promise<EnclaveLog> => openRedisLog({ settings: { at }, checkpointKey });
      const { primary } = set;
      const log = await open();
      const writers = Array.from({ length: 12 }, (_, i) => new Writer(log, `${how} ${i}`));
      try {
        const running = writers.map((writer) => writer.run());
        await waitFor('acknowledged batches', 10_000, async () => writers.every((writer) => writer.acknowledged > 20));
        if (how === 'killed') await primary.kill();
        else primary.freeze();
        await waitFor('another primary', 20_000, async () => (await namedPrimary(sentinels, servers)) !== primary);
        const before = writers.map((writer) => writer.acknowledged);
        await waitFor('appends on it', SETTLED_MS, async () =>
          writers.every((writer, i) => writer.acknowledged > (before[i] as number) + 5),
        );
        for (const writer of writers) writer.stop = true;
        await Promise.all(running);
        assert.ok(writers.some((writer) => writer.unsure > 0));
        const other = await waitFor('another owner', SETTLED_MS, open);
        for (const writer of writers) {
          const zombie = writer.epoch;
          const opened = await other.open(writer.enclave.key, new Uint8Array(16).fill(9));
          await writer.check(other);
          const { batch, expected, next } = writer.enclave.fork().batch([{ content: '"zombie"' }]);
          const late = { key: writer.enclave.key, batch, expected, next, timestamp: 1, dueAt: 0, deletes: [] };
          assert.equal(await appended(log, { ...late, epoch: zombie }), 'fenced');
          assert.ok(opened.epoch.counter > zombie.counter);
        }
        await other.close();
      } finally {
        for (const writer of writers) writer.stop = true;
        await log.close();
        await Promise.all([...sentinels, ...servers].map((server) => server.remove()));
      }
    });
  }
});

/** One owner that appends as fast as it is answered, and reopens when it is unsure, as a shard does. */
class Writer {
  readonly #log: EnclaveLog;
  enclave: SampleEnclave;
  epoch: Epoch = { counter: 0, nonce: new Uint8Array(16) };
  acknowledged = 0;
  unsure = 0;
  stop = false;

  constructor(log: EnclaveLog, name: string) {
    this.#log = log;
    this.enclave = new SampleEnclave(name);
  }

  async run(): Promise<void> {
    let known = this.enclave.fork();
    const possible = [known];
    let opened = false;
    for (let n = 0; !this.stop; n++) {
      if (!opened) {
        const found = await this.#log.open(this.enclave.key, new Uint8Array(16).fill(3)).catch(() => null);
        if (found === null) {
          await new Promise(setImmediate);
          continue;
        }
        // The truth is what was acknowledged, or one of the batches that nobody was sure of.
        const truth = possible.find((one) => Buffer.compare(one.head.chain, found.head.chain) === 0);
        assert.ok(
          truth,
          `seq ${found.head.seq} is no state that this owner has made, seq ${known.head.seq} was acknowledged`,
        );
        known = truth;
        possible.splice(0, possible.length, known);
        this.epoch = found.epoch;
        opened = true;
      }
      const next = known.fork();
      const { batch, expected, next: head } = next.batch([{ content: `"${n}"` }, { content: '"x"' }], n % 5 === 0);
      const result: AppendResult = await appended(this.#log, {
        key: next.key,
        epoch: this.epoch,
        batch,
        expected,
        next: head,
        timestamp: next.timestamp,
        dueAt: 0,
        deletes: [],
      });
      if (result === 'ok') {
        known = next;
        possible.splice(0, possible.length, known);
        this.acknowledged++;
      } else {
        assert.equal(result, 'unknown');
        possible.push(next);
        this.unsure++;
        opened = false;
      }
    }
    this.enclave = known;
  }

  /** The log holds what was acknowledged, and perhaps one batch more that nobody was sure of. */
  async check(log: EnclaveLog): Promise<void> {
    const batches: Batch[] = [];
    for (let from = 0; ; ) {
      const page = await log.read(this.enclave.key, from, 1 << 20);
      if (page.length === 0) break;
      batches.push(...page);
      from = batches.reduce((sum, batch) => sum + batch.events, 0);
    }
    const text = batches.map((batch) => Buffer.from(batch.content).toString()).join('');
    assert.ok(text.startsWith(this.enclave.contents.join('')));
  }
}
