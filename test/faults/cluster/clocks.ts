import { join } from 'node:path';
import type { RunContext } from '../scenario.ts';
import type { ShardPart } from './fault-cluster.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
/** How wrong a clock may be: commits must still be neither expired nor too far ahead, ms. */
const WRONG_MS = 50_000;

/**
 * Shards whose clocks disagree and jump under load, while enclaves go from one to another: an event is never older than
 * the one before it, and no commit is accepted twice.
 */
export function clocks(context: RunContext): Promise<string[]> {
  const { random, tally, folder } = context;
  const wrong = (): number => random.int(-WRONG_MS, WRONG_MS);
  const plan = () => {
    const clock = wrong();
    return { append: {}, advance: {}, hits: join(folder, 'hits'), clock, jump: wrong() - clock };
  };
  const plans = [plan(), plan()];
  return onCluster(context, { shards: 2, routers: 1, plans }, async ({ cluster, load }) => {
    tally.add('life with a wrong clock', 2);
    await load.found(2, 2);
    load.start(CLIENTS);
    const jump = async (): Promise<void> => {
      await load.receipts(random.int(15, 40));
      const part = random.pick(cluster.shards);
      part.node?.jump();
      tally.add('clock jumped under load');
    };
    for (const part of cluster.shards as [ShardPart, ShardPart]) {
      await jump();
      await cluster.kill(part);
      await load.served();
      await cluster.startShard(part, plan());
      await jump();
    }
    await load.receipts(random.int(15, 40));
  });
}
