import { randomBytes } from 'node:crypto';
import { FORMAT_VERSION, type Head } from '../../../kernel/kernel.ts';
import type { LogKey } from '../../log/enclave-log.ts';
import { HEAD_BYTES, writeHead } from '../../log/head-bytes.ts';
import type { NewConnection } from '../../redis/connection.ts';
import type { Reply } from '../../redis/link.ts';
import { RedisRefused, RedisUnknown } from '../../redis/redis-errors.ts';
import type { RedisMeter } from '../../redis/redis-meter.ts';
import type { RedisSettings } from '../../redis/redis-settings.ts';
import { openRedis, type RedisStore, type StoreState } from '../../redis/redis-store.ts';
import { laneKey } from '../../redis/row-key.ts';
import { loadScript, readCounted } from '../../redis/script.ts';
import { GuardUnavailable } from '../guard-errors.ts';
import type { GuardResult } from '../guard-messages.ts';
import { decodeWatermark, encodeWatermark, WATERMARK_ROW } from '../guard-store.ts';
import type { Advance, ReleaseGuard } from '../release-guard.ts';

export interface RedisGuardOptions {
  readonly settings: RedisSettings;
  /** run ids of the servers that hold the log, asked on every new connection: one that holds both is refused */
  readonly logServers?: () => readonly string[];
  /** Both on one server after all: what destroys the log then destroys the guard that would have shown it. */
  readonly allowShared?: boolean;
  /** the first connection must be there by then; default 10,000 ms */
  readonly openMs?: number;
  readonly onState?: (state: StoreState) => void;
  readonly meter?: RedisMeter | undefined;
}

const claim = loadScript(new URL('./claim-1.lua', import.meta.url));
const move = loadScript(new URL('./move-n.lua', import.meta.url));

const META = 'enc:guard';
const BEAT = 'enc:guard:beat';
const PREFIX = 'g';
/** A script runs alone: this many take about half a millisecond. */
const CALLS_PER_SCRIPT = 256;
const MADE = 49;

/** Opens the guard in a Redis of its own, or makes a new one there. Rejects with a sentence if that can't be used. */
export async function openRedisGuard(options: RedisGuardOptions): Promise<RedisGuard> {
  let id: Buffer | null = null;
  const prepare = async (connection: NewConnection): Promise<void> => {
    const { host, port } = connection.facts.address;
    if (!options.allowShared && options.logServers?.().includes(connection.facts.runId))
      throw new RedisRefused(
        `Redis at ${host}:${port} holds the log too: give the guard a server of its own on another machine, or allow sharing.`,
      );
    const found = await claimStore(connection);
    if (id !== null && !found.equals(id))
      throw new RedisRefused(`Redis at ${host}:${port} holds another guard than before: put the right one back.`);
    id ??= found;
  };
  const { settings, openMs, onState, meter } = options;
  const store = await openRedis({
    settings,
    scripts: [claim, move, readCounted],
    beatKey: BEAT,
    prepare,
    meter,
    ...(openMs === undefined ? {} : { openMs }),
    ...(onState === undefined ? {} : { onState }),
  });
  return new RedisGuard(store, Uint8Array.from(id as unknown as Buffer));
}

/** The id of the store, counted. Throws RedisRefused. */
async function claimStore(connection: NewConnection): Promise<Buffer> {
  const format = Buffer.from([FORMAT_VERSION & 255, FORMAT_VERSION >> 8]);
  const reply = await connection.counted(claim, [META], [format, randomBytes(16), randomBytes(8).toString('hex')]);
  const [version, id] = reply as [Reply, Reply];
  if (!Buffer.isBuffer(version) || version.length !== 2 || !Buffer.isBuffer(id) || id.length !== 16)
    throw new RedisRefused("The guard's Redis has a damaged id or format: restore it, or adopt another.");
  if (version.readUInt16LE(0) > FORMAT_VERSION)
    throw new RedisRefused(
      `The guard's Redis has format ${version.readUInt16LE(0)}, this version of the node reads up to ${FORMAT_VERSION}: start the newer version.`,
    );
  return id;
}

interface Call {
  readonly key: Buffer;
  readonly arg: Buffer;
  readonly done: (result: GuardResult) => void;
}

/** The guard over Redis: every call of one turn shares a script, every script of one tick a WAIT. */
export class RedisGuard implements ReleaseGuard {
  readonly id: Uint8Array;
  readonly #store: RedisStore;
  #calls: Call[] = [];

  constructor(store: RedisStore, id: Uint8Array) {
    this.#store = store;
    this.id = id;
  }

  /** performance.now() of the last answer that counted, −∞ while there is no connection */
  get heardAt(): number {
    return this.#store.heardAt;
  }

  async read(key: LogKey): Promise<Head | null> {
    const row = await this.#store.counted(readCounted, [laneKey(PREFIX, key)], []).catch(unavailable);
    return row === null ? null : decodeWatermark(checksumKey(key), row as Buffer);
  }

  async create(key: LogKey, head: Head): Promise<boolean> {
    const result = await new Promise<GuardResult>((done) => this.#push(key, null, head, done));
    if (result === 'unknown') throw new GuardUnavailable('The guard could not be written: the outcome is unknown.');
    return result === 'ok';
  }

  advance(advance: Advance): void {
    this.#push(advance.key, advance.from, advance.to, advance.done);
  }

  async close(): Promise<void> {
    this.#send();
    await this.#store.close();
  }

  #push(key: LogKey, from: Head | null, to: Head, done: (result: GuardResult) => void): void {
    // Appends that share a WAIT are answered in one turn of the event loop: their calls go together.
    if (this.#calls.length === 0) process.nextTick(() => this.#send());
    this.#calls.push({ key: laneKey(PREFIX, key), arg: moveArg(key, from, to), done });
  }

  #send(): void {
    const calls = this.#calls;
    this.#calls = [];
    for (let at = 0; at < calls.length; at += CALLS_PER_SCRIPT) this.#move(calls.slice(at, at + CALLS_PER_SCRIPT));
  }

  #move(calls: readonly Call[]): void {
    const keys = calls.map((call) => call.key);
    const args = calls.map((call) => call.arg);
    this.#store.write(move, keys, args, (reply) => {
      const results = Buffer.isBuffer(reply) && reply.length === calls.length ? reply : null;
      for (const [i, call] of calls.entries())
        call.done(results === null ? 'unknown' : results[i] === MADE ? 'ok' : 'refused');
    });
  }
}

/** As move-n.lua takes it. */
function moveArg(key: LogKey, from: Head | null, to: Head): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  writeHead(head, to, 0);
  const row = encodeWatermark(checksumKey(key), head);
  if (from === null) return row;
  const arg = Buffer.alloc(HEAD_BYTES + WATERMARK_ROW);
  writeHead(arg, from, 0);
  arg.set(row, HEAD_BYTES);
  return arg;
}

function checksumKey(key: LogKey): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.set(key.enclave, 0);
  bytes.writeUInt32BE(key.lane, 32);
  return bytes;
}

function unavailable(error: unknown): never {
  if (error instanceof RedisUnknown) throw new GuardUnavailable(`The guard could not be read: ${error.message}`);
  throw error;
}
