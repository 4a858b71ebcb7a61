import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import {
  type FromGuardWriter,
  GUARD_CALL,
  GUARD_OK,
  GUARD_REFUSED,
  GUARD_UNKNOWN,
  type ToGuardWriter,
} from './guard-messages.ts';
import { checkWatermark, claimGuard, encodeWatermark, type GuardStore, openGuardStore } from './guard-store.ts';

/** The thread that writes the guard: one durable transaction for all calls of a group. */
class GuardWriter {
  readonly #store: GuardStore;
  #dead = false;

  constructor(folder: string) {
    this.#store = openGuardStore(folder);
    this.#store.root.transactionSync(() => claimGuard(this.#store, randomBytes(16)));
    for (const path of [folder, dirname(resolve(folder))]) {
      // A synced file without a durable name is lost.
      const fd = openSync(path, 'r');
      fsyncSync(fd);
      closeSync(fd);
    }
  }

  /** Compare-and-set of every call; never throws. */
  write(packed: Buffer): FromGuardWriter {
    const codes = new Uint8Array(packed.length / GUARD_CALL).fill(GUARD_UNKNOWN);
    if (this.#dead) return { kind: 'done', codes, error: 'the guard has failed before', fatal: true };
    try {
      this.#store.root.transactionSync(() => {
        for (let i = 0; i < codes.length; i++)
          codes[i] = this.#call(packed.subarray(i * GUARD_CALL, (i + 1) * GUARD_CALL));
      });
      return { kind: 'done', codes, error: null, fatal: false };
    } catch (error) {
      const full = error instanceof Error && /ENOSPC|EDQUOT|No space left|quota/i.test(error.message);
      this.#dead = !full;
      return { kind: 'done', codes: codes.fill(GUARD_UNKNOWN), error: String(error), fatal: this.#dead };
    }
  }

  async close(): Promise<void> {
    this.#dead = true;
    await this.#store.root.close();
  }

  #call(call: Buffer): number {
    const key = Buffer.from(call.subarray(0, 36));
    const create = call[36] === 1;
    const row = this.#store.watermarks.getBinary(key);
    if (create ? row !== undefined : row === undefined) return GUARD_REFUSED;
    if (row !== undefined) {
      try {
        if (!checkWatermark(key, row).equals(call.subarray(40, 120))) return GUARD_REFUSED;
      } catch {
        return GUARD_UNKNOWN;
      }
    }
    this.#store.watermarks.putSync(key, encodeWatermark(key, call.subarray(120, 200)));
    return GUARD_OK;
  }
}

const port = parentPort;
if (port !== null) {
  const say = (message: FromGuardWriter): void => port.postMessage(message);
  try {
    const writer = new GuardWriter(workerData as string);
    say({ kind: 'started', error: null });
    port.on('message', (message: ToGuardWriter) => {
      if (message.kind === 'group') say(writer.write(Buffer.from(message.packed)));
      else
        writer.close().then(() => {
          say({ kind: 'closed' });
          port.close();
        });
    });
  } catch (error) {
    say({ kind: 'started', error: error instanceof Error ? error.message : String(error) });
    port.close();
  }
}
