import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutAt, record, SURVIVALS } from './power-cut.ts';
import { Random } from './random.ts';
import { inFolder, Skipped } from './scenario.ts';
import { Tally } from './tally.ts';

const SEED = 'syncs matter';

/** Runs `work` unless this machine can't record. */
async function recorded(t: { skip(reason: string): void }, work: (folder: string) => Promise<void>): Promise<void> {
  try {
    await inFolder(work);
  } catch (error) {
    if (!(error instanceof Skipped)) throw error;
    t.skip(error.message);
  }
}

test(`a node whose syncs are switched off loses what it acknowledged, and the power cut shows it (seed ${SEED})`, (t) =>
  recorded(t, async (folder) => {
    const random = new Random(SEED);
    const run = await record({ random, tally: new Tally(), folder }, { sync: false });
    const end = run.recording.sentAt.at(-1) ?? 0;
    for (const survival of ['nothing', 'pages'] as const) {
      const found = await cutAt(run, { end, survival, resumeMs: 500 }, random, new Tally());
      assert.ok(found.length > 0, `${survival} of the unsynced survived, and nothing was found`);
    }
  }));

test(`each sync matters: without those of the log, of its contents, of the guard or of the keys the power cut shows it (seed ${SEED})`, (t) =>
  recorded(t, async (folder) => {
    const random = new Random(SEED);
    const run = await record({ random, tally: new Tally(), folder }, { sync: true });
    const end = run.recording.sentAt.at(-1) ?? 0;
    assert.deepEqual(await cutAt(run, { end, survival: 'nothing' }, random, new Tally()), []);
    for (const unsynced of [/\/log\/data\.mdb$/, /\/log\/content\//, /\/guard\/data\.mdb$/, /\/keys\//]) {
      const found = await cutAt(run, { end, survival: 'nothing', unsynced, resumeMs: 500 }, random, new Tally());
      assert.ok(found.length > 0, `the syncs of ${unsynced} were not missed`);
    }
  }));

test(`a folder whose very first start was cut off is one that a node starts on (seed ${SEED})`, (t) =>
  recorded(t, async (folder) => {
    const random = new Random(SEED);
    const run = await record({ random, tally: new Tally(), folder }, { sync: true });
    const first = run.recording.sentAt[0] ?? 0;
    assert.ok(first > 20, 'the start itself was recorded');
    for (const survival of SURVIVALS) {
      const end = random.int(1, first);
      assert.deepEqual(await cutAt(run, { end, survival }, random, new Tally()), []);
    }
  }));
