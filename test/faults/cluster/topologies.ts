import { setTimeout as sleep } from 'node:timers/promises';
import { RedisTopology } from '../../../cluster/topology/redis-topology.ts';
import type { RunContext } from '../scenario.ts';
import { onCluster } from './on-cluster.ts';

const CLIENTS = 4;
const CHANGES = 3;
/** In a cluster at rest an enclave changes its owner at most once in this time: nothing else is a livelock, ms. */
const AT_REST_MS = 2000;

/**
 * Two routers believe in different topologies, one of them over slow links, while the shape changes under load: all is
 * served through both, what was sent under an old shape is refused, and enclaves do not bounce.
 */
export function topologies(context: RunContext): Promise<string[]> {
  const { random, tally } = context;
  return onCluster(context, { shards: 3, routers: 2, published: 2 }, async ({ cluster, load, say }) => {
    const store = new RedisTopology(`redis://127.0.0.1:${cluster.log.primary.port}`, () => {});
    try {
      await store.connected(10_000);
      const [, other] = cluster.routers;
      if (!other) throw new Error('there are two routers');
      await cluster.kill(other);
      await cluster.startRouter(other, { version: 1, shards: 3, before: 0 });
      await load.found(2, 4);
      load.start(CLIENTS);
      await load.receipts(random.int(20, 40));
      for (const { links } of cluster.shards)
        for (const link of links) link.weather = { kind: 'slow', ms: random.int(20, 60) };
      let { version, shards } = (await store.look(0)).topology;
      for (let i = 0; i < CHANGES; i++) {
        shards = shards === 3 ? random.int(1, 2) : 3;
        if (!(await store.publish(version, shards))) say(`topology ${version + 1} was not taken`);
        version++;
        tally.add('topology changed under load');
        await load.receipts(random.int(10, 40));
        await load.served();
      }
      await sleep(AT_REST_MS);
      const before = await cluster.count('enc_take_overs_total');
      await sleep(AT_REST_MS);
      const bounced = (await cluster.count('enc_take_overs_total')) - before;
      if (bounced > load.enclaves.length) say(`${bounced} take-overs of ${load.enclaves.length} enclaves at rest`);
      await load.served();
    } finally {
      await store.close();
    }
  });
}
