import { missing } from '../test/parts/redis.ts';
import {
  atRate,
  CONNECTIONS,
  type Measured,
  NO_GROWTH,
  ratioRow,
  routerPerCommit,
  SAME_RATE,
  saturatedRow,
} from './cluster-load.ts';
import { ClusterScene } from './cluster-scene.ts';
import type { BenchOptions } from './options.ts';
import type { BenchResult } from './result.ts';

const SHARDS = [1, 2, 4] as const;
const MOST = 4;
/** so many that every shard has some of them */
const ENCLAVES = 64;
const WARM_UP = 20_000;
const COMMITS = 25_000;
const AT_SAME_RATE = 20_000;

interface Shape {
  readonly shards: number;
  /** CONNECTIONS in flight */
  readonly together: Measured;
  /** CONNECTIONS in flight for each shard */
  readonly each: Measured;
  /** SAME_RATE a second */
  readonly calm: Measured;
}

/** What the router's part of a commit costs before more and more shards. */
export async function benchShards(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`cluster-shards: left out, ${missing}`);
    return [];
  }
  await using scene = await ClusterScene.set({ shards: MOST, enclaves: ENCLAVES, bench: options });
  const shapes: Shape[] = [];
  for (const shards of SHARDS) shapes.push(await shape(scene, shards));
  const [one, ...others] = shapes as [Shape, ...Shape[]];
  return [
    ...shapes.map(({ shards, together }) =>
      saturatedRow(`cluster-shards-${shards}`, `1 router, ${shards} shards, ${ENCLAVES} enclaves`, together),
    ),
    ...others.map((other) => {
      const ratio = (of: 'calm' | 'each' | 'together'): number => routerPerCommit(other[of]) / routerPerCommit(one[of]);
      return {
        ...ratioRow(
          `cluster-router-shards-${other.shards}`,
          `CPU of the router per commit at ${SAME_RATE} a second, ${other.shards} shards against one`,
          ratio('calm'),
          NO_GROWTH,
        ),
        in_flight_each_ratio: ratio('each'),
        in_flight_together_ratio: ratio('together'),
      };
    }),
  ];
}

async function shape(scene: ClusterScene, shards: number): Promise<Shape> {
  const { enclaves } = scene;
  await scene.reshape(shards);
  await scene.saturate(enclaves, WARM_UP, shards);
  const together = await scene.saturate(enclaves, COMMITS, shards);
  const each = shards === 1 ? together : await scene.saturate(enclaves, COMMITS, shards, shards * CONNECTIONS);
  const calm = await atRate(scene.house, scene.bodies(enclaves, AT_SAME_RATE), SAME_RATE, shards);
  return { shards, together, each, calm };
}
