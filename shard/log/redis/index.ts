import type { RedisMeter } from '../../redis/redis-meter.ts';
import type { RedisSettings } from '../../redis/redis-settings.ts';
import { openRedis, type StoreState } from '../../redis/redis-store.ts';
import type { ArchiveReader } from '../archive/archive-reader.ts';
import { AofRewriter } from './aof-rewriter.ts';
import { BEAT } from './keys.ts';
import { RedisLog } from './redis-log.ts';
import { SCRIPTS } from './scripts.ts';

export interface OpenRedisLogOptions {
  readonly settings: RedisSettings;
  /** 32 bytes, derived from the master secret: checkpoints carry an HMAC under it */
  readonly checkpointKey: Uint8Array;
  /** where events are found that have been trimmed */
  readonly archive?: ArchiveReader | null;
  /** ms from an erasure until the append-only files are rewritten without its bytes, at most; default 10 minutes */
  readonly rewriteWithinMs?: number;
  readonly onState?: (state: StoreState) => void;
  readonly meter?: RedisMeter | undefined;
  /** something that is tried again by itself has failed (a sentence for the operator's log) */
  readonly onFailure?: (reason: string) => void;
}

const REWRITE_WITHIN_MS = 600_000;

/** Opens the log over Redis. Rejects with a sentence when the server is unsafe, or not there within 10 s. */
export async function openRedisLog(options: OpenRedisLogOptions): Promise<RedisLog> {
  const { settings, checkpointKey, archive = null, onState, meter } = options;
  let log: RedisLog | null = null;
  const store = await openRedis({
    settings,
    scripts: SCRIPTS,
    beatKey: BEAT,
    meter,
    onState: (state) => {
      if (state.kind === 'connected') log?.forget();
      onState?.(state);
    },
  });
  const rewriter = new AofRewriter({
    store,
    settings,
    withinMs: options.rewriteWithinMs ?? REWRITE_WITHIN_MS,
    onFailure: (reason) => options.onFailure?.(reason),
  });
  log = new RedisLog(store, rewriter, { checkpointKey, archive });
  return log;
}
