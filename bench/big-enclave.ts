import type { Author } from './corpus.ts';
import { EXP_WINDOW, Filler, folderStores, push } from './fill.ts';

const MEMBERS = 1000;
/** between two events, ms */
export const STEP_MS = 10;
/** of a commit, ms: longer than a group takes by the clock of the events */
const LIFETIME = 60_000;
/** commits of one batch, which have one timestamp, and batches under way: as many as an enclave stages at once */
const GROUP = 500;
const IN_FLIGHT = 3;
/** every so many events one is a `rare`, and a note carries each value of the tag `topic` */
export const RARE_EVERY = 10_000;
export const TOPICS = 10_000;

export interface BigEnclave {
  /** hex32 */
  readonly enclave: string;
  readonly sequencer: Uint8Array;
  readonly owner: Author;
  readonly members: readonly Author[];
  readonly events: number;
  /** timestamp of the event with seq n is firstTime + STEP_MS · n, or up to 5 s later */
  readonly firstTime: number;
  /** ids of some events, hex32 */
  readonly ids: readonly string[];
}

/** Fills a data folder with one enclave of many small events (fill.ts). */
export async function fillEnclave(data: string, events: number, checkpoints = true): Promise<BigEnclave> {
  const filler = await Filler.open(await folderStores(data, checkpoints));
  const big = await fillBig(filler, events);
  await filler.close();
  return big;
}

/** One enclave of many small events, left asleep. `fits`: which ids will do. */
export async function fillBig(
  filler: Filler,
  events: number,
  fits?: (enclave: Uint8Array) => boolean,
): Promise<BigEnclave> {
  const { corpus, inspector } = filler;
  const owner = corpus.author(0);
  const members = Array.from({ length: MEMBERS }, (_, i) => corpus.author(i + 1));
  const firstTime = Date.now() - EXP_WINDOW - events * STEP_MS;
  filler.now = firstTime;
  const { enclave, sequencer, actor } = await filler.found(owner, members, { size: 256, timeout: 5000 }, fits);
  const ids: string[] = [];
  const add = (ic: Uint8Array): Promise<void> =>
    push(actor, ic).then((answer) => {
      if (ids.length * RARE_EVERY > actor.released.seq) return;
      const id = /"id":"([0-9a-f]{64})"/.exec(Buffer.from(answer).toString())?.[1];
      if (id) ids.push(id);
    });
  const inFlight: Promise<unknown>[] = [];
  for (let n = 1; n < events; ) {
    const group: Promise<void>[] = [];
    for (const end = Math.min(events, n + GROUP); n < end; n++) {
      const author = members[n % MEMBERS] as Author;
      const commit = corpus.unsigned(author, enclave, draft(n, filler.now + LIFETIME));
      group.push(add(inspector.inspect(commit, 'post').bytes));
    }
    filler.now = firstTime + n * STEP_MS;
    actor.pump();
    inFlight.push(Promise.all(group));
    if (inFlight.length === IN_FLIGHT) await inFlight.shift();
  }
  await Promise.all(inFlight);
  await new Promise((resolve) => actor.closeBundle(resolve));
  filler.now += EXP_WINDOW;
  await filler.sleep(actor);
  return { enclave, sequencer, owner, members, events, firstTime, ids };
}

function draft(n: number, exp: number) {
  const type = n % RARE_EVERY === RARE_EVERY - 1 ? 'rare' : 'note';
  const content = `{"n":${n},"text":"${'enclave '.repeat(22)}"}`;
  return { type, content, exp, tags: `[["topic","t${(n * 7919) % TOPICS}"]]` };
}
