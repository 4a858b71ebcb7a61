import type { RunContext } from '../scenario.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;

/** kill -9 of routers under load: clients ask another one, with the same bytes. There is nothing to recover. */
export function killRouter(context: RunContext): Promise<string[]> {
  const { random, tally } = context;
  return onCluster(context, { shards: 2, routers: 2 }, async ({ cluster, load }) => {
    await load.found(2, 1);
    load.start(CLIENTS);
    for (const router of cluster.routers) {
      await load.receipts(random.int(20, 80));
      await cluster.kill(router);
      tally.add('kill -9 of a router');
      await load.served();
      await load.receipts(random.int(10, 40));
      await cluster.startRouter(router);
    }
  });
}
