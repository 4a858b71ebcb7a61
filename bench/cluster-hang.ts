import { unhex } from '../protocol/hex.ts';
import { shardOf } from '../protocol/jump.ts';
import { missing } from '../test/parts/redis.ts';
import { waitFor } from '../test/parts/wait-for.ts';
import { paced } from './cluster-load.ts';
import { ClusterScene } from './cluster-scene.ts';
import type { LoadResult } from './load/generator.ts';
import { median, quantile } from './load/run-load.ts';
import type { BenchOptions } from './options.ts';
import { type BenchResult, type Latencies, latencies } from './result.ts';

const SHARDS = 4;
/** Each is opened once before; some are used then. */
const FILLED = 1000;
/** The shard that hangs. */
const VICTIM = 0;
/** Commits a second to the others, less than a fifth of what they could take, and to the one that hangs. */
const HEALTHY_RATE = 600;
const HUNG_RATE = 60;
const HEALTHY = 64;
const HUNG = 16;
/** Of each round: what does not count, what counts without a fault, and how long the shard then hangs, s. */
const WARM_UP_S = 2;
const CALM_S = 10;
const HANG_S = 10;
/** Routers wait for 2 s before they give a shard up; by then its enclaves are open elsewhere, s. */
const TAKEN_OVER_S = 3;
/** The first take-overs compile what they run, on shards that have done nothing of the kind since their start. */
const ROUNDS_BEFORE = 2;
const ROUNDS = 7;
/** It goes on hanging for so long, so that all that counts is answered before it wakes, s. */
const BEYOND_S = 0.2;
/** Load generators are processes of their own, and must be there when a round begins, ms. */
const START_MS = 2000;
const TAKEN_BACK_MS = 60_000;

/** Latencies of commits to healthy shards, ms, ascending: without a fault; with it; of those, until the hung shard's enclaves are
 *  taken over, and then. */
interface Round {
  readonly calm: number[];
  readonly during: number[];
  readonly taking: number[];
  readonly rest: number[];
}

/**
 * What commits to healthy shards feel of one that hangs (SIGSTOP), in an open loop at a moderate rate. Commits to the hung
 * one go on too, over connections of their own; they wait, and are carried out where its enclaves go. One load runs through
 * all of a round, so that nothing differs between its parts but the fault.
 */
export async function benchHang(options: BenchOptions): Promise<BenchResult[]> {
  if (missing) {
    console.log(`cluster-hang: left out, ${missing}`);
    return [];
  }
  await using scene = await ClusterScene.set({ shards: SHARDS, enclaves: FILLED, bench: options });
  await scene.reshape(SHARDS);
  // A shard that has run for a while has opened enclaves before: it does not compile how, in the moment of a take-over.
  await scene.saturate(scene.enclaves, FILLED, SHARDS);
  const of = (hung: boolean, count: number): string[] =>
    scene.enclaves.filter((id) => (shardOf(unhex(id), scene.shards) === VICTIM) === hung).slice(0, count);
  const [healthy, hung] = [of(false, HEALTHY), of(true, HUNG)];
  const part = Math.min(1, options.scale);
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS_BEFORE + ROUNDS; round++) {
    await takenBack(scene, hung);
    const measured = await hang(scene, healthy, hung, part);
    if (round >= ROUNDS_BEFORE) rounds.push(measured);
  }
  const [calm, during] = [middle(rounds.map(({ calm }) => calm)), middle(rounds.map(({ during }) => during))];
  const ratio = during.p99_ms / calm.p99_ms;
  const row = {
    name: 'cluster-hang',
    what: `${HEALTHY_RATE} commits/s to enclaves of ${scene.shards - 1} shards while another hangs (SIGSTOP) with ${HUNG_RATE} more a second for it, open loop; median of ${ROUNDS} times ${HANG_S * part} s, each behind ${CALM_S * part} s without`,
    ...during,
    max_ms: Math.max(...rounds.flatMap(({ during }) => during)),
    calm_p50_ms: calm.p50_ms,
    calm_p99_ms: calm.p99_ms,
    rounds_calm_p99_ms: p99s(rounds.map(({ calm }) => calm)),
    rounds_p99_ms: p99s(rounds.map(({ during }) => during)),
    taking_s: TAKEN_OVER_S * part,
    taking_p99_ms: middle(rounds.map(({ taking }) => taking)).p99_ms,
    rest_p99_ms: middle(rounds.map(({ rest }) => rest)).p99_ms,
    ratio,
    must: 'p99 ≤ 1.2 × that without',
    met: ratio <= 1.2,
  };
  return [row];
}

/** One round; `part`: how much of its times. */
async function hang(
  { house, notes }: ClusterScene,
  healthy: readonly string[],
  hung: readonly string[],
  part: number,
): Promise<Round> {
  const times = [WARM_UP_S, CALM_S, HANG_S, TAKEN_OVER_S, BEYOND_S].map((s) => s * part * 1000);
  const [warmUp, calm, hanging, taking, beyond] = times as [number, number, number, number, number];
  const load = (enclaves: readonly string[], rate: number): string[] =>
    notes.bodies(enclaves, Math.round((rate * (warmUp + calm + hanging + beyond)) / 1000));
  const bodies = [load(healthy, HEALTHY_RATE), load(hung, HUNG_RATE)] as const;
  const startAt = Date.now() + START_MS;
  const stopAt = startAt + warmUp + calm;
  const running = Promise.all([
    paced(house.url, bodies[0], HEALTHY_RATE, 256, startAt),
    paced(house.url, bodies[1], HUNG_RATE, 1024, startAt),
  ]);
  await until(stopAt);
  const pid = house.shard(VICTIM);
  process.kill(pid, 'SIGSTOP');
  try {
    await until(stopAt + hanging + beyond);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const [{ timeline }] = await running;
  return {
    calm: between(timeline, startAt + warmUp, stopAt),
    during: between(timeline, stopAt, stopAt + hanging),
    taking: between(timeline, stopAt, stopAt + taking),
    rest: between(timeline, stopAt + taking, stopAt + hanging),
  };
}

const until = (at: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, at - Date.now()));

/** Latencies of what was meant to be sent from `from` until before `to` (ms since the epoch). */
function between(timeline: LoadResult['timeline'], from: number, to: number): number[] {
  return timeline.flatMap(([sent, latency]) => (sent >= from && sent < to ? [latency] : [])).sort((a, b) => a - b);
}

const p99s = (rounds: readonly number[][]): string =>
  rounds.map((round) => quantile(round, 0.99).toFixed(1)).join(', ');

/** The middle of the rounds, quantile by quantile: a disk that stops for a moment spoils a round or two, and no figure. */
function middle(rounds: readonly number[][]): Latencies {
  const each = rounds.map(latencies);
  const of = (name: keyof Latencies): number => median(each.map((one) => one[name]));
  return { p50_ms: of('p50_ms'), p90_ms: of('p90_ms'), p99_ms: of('p99_ms'), p999_ms: of('p999_ms') };
}

/** Waits until the enclaves of the shard that hung are back there. */
async function takenBack({ house, topology, notes, shards }: ClusterScene, hung: readonly string[]): Promise<void> {
  await waitFor('enclaves to be taken back', TAKEN_BACK_MS, async () => {
    await paced(house.url, notes.bodies(hung, hung.length), 100, hung.length);
    const { beats } = await topology.look(shards);
    return beats.size === shards && [...beats].every(([, beat]) => beat.guests === 0);
  });
}
