import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { commitJson } from '../../../protocol/commit.ts';
import { inStep, startRedis } from '../../parts/redis.ts';
import { errorCode } from '../history.ts';
import type { RunContext } from '../scenario.ts';
import { call, download } from '../wire.ts';
import type { Enclave } from '../workload.ts';
import { onCluster } from './on-cluster.ts';

const ENC = fileURLToPath(new URL('../../../bin/enc.mjs', import.meta.url));
const RECOVER_MS = 60_000;
/** Nothing is closed by time while it is decided what the replica has. */
const OPEN = { size: 8, timeout: 600_000 };
const CLIENTS = 3;
/** An answer that only says that the log has gone passes by itself within this time, ms. */
const SETTLED_MS = 20_000;

/**
 * A replica that has been left behind is promoted: the enclaves that lost released events refuse, all others go on, and
 * `enc admin recover` brings the lost ones back, from a copy that has everything.
 */
export function redisStale(context: RunContext): Promise<string[]> {
  const { random, tally, folder } = context;
  return onCluster(context, { shards: 2, routers: 1 }, async ({ cluster, load, say }) => {
    const { workload } = load;
    await load.found(2, 2, [OPEN]);
    load.start(CLIENTS);
    await load.receipts(random.int(30, 60));
    await load.quietly(async () => {
      const replica = await startRedis({ replicaOf: cluster.log.primary });
      try {
        await inStep(cluster.log.primary, 1);
        await replica.promote();
        const lost = workload.enclaves.filter((_, i) => i === 0 || random.chance(0.4)).slice(0, -1);
        const kept = workload.enclaves.filter((enclave) => !lost.includes(enclave));
        const files = new Map<Enclave, string>();
        for (const enclave of lost) {
          for (let i = random.int(1, 12); i > 0; i--) await workload.ask([workload.note(enclave)]);
          await workload.read(enclave);
          const file = join(folder, `${enclave.id}.enc`);
          writeFileSync(file, (await download(cluster.url, `/enclaves/${enclave.id}/snapshot`)).bytes);
          files.set(enclave, file);
        }
        await cluster.log.primary.kill();
        cluster.logIsAt(replica);
        tally.add('Redis promoted with data missing');
        await load.served(kept);
        for (const enclave of lost) {
          const note = commitJson(workload.note(enclave).commit);
          const code = await settled(() => call(cluster.url, '/', note));
          if (code !== 'enclave_regressed') say(`I1 an enclave whose log lost events answers a commit with ${code}`);
          else tally.add('enclave regressed');
          const head = await settled(() => call(cluster.url, `/${enclave.id}/sth`));
          if (head !== 'enclave_regressed') say(`I1 an enclave whose log lost events answers a read with ${head}`);
        }
        for (const [enclave, file] of files) {
          const args = ['admin', 'recover', enclave.id, '--snapshot', file, '--remote', cluster.url, '--json'];
          const why = await recovered(args);
          if (why === null) tally.add('enclave recovered');
          else say(`I1 enc admin recover: ${why}`);
        }
        await load.served();
      } finally {
        cluster.adopt(replica);
      }
    });
    await load.receipts(random.int(20, 40));
  });
}

/** Runs the command, again while it says that its outcome is not known yet; null when it succeeds, else what it said last. */
async function recovered(args: readonly string[]): Promise<string | null> {
  const end = performance.now() + SETTLED_MS;
  for (;;) {
    const why = await promisify(execFile)(process.execPath, [ENC, ...args], { timeout: RECOVER_MS }).then(
      () => null,
      (error: Error & { stderr?: string }) => `${error.message} ${error.stderr ?? ''}`,
    );
    if (why === null || !why.includes('[unavailable]') || performance.now() > end) return why;
  }
}

/** The error code of the first answer that is not only about the moment; 'ok' without any. */
async function settled(ask: () => Promise<{ text: string }>): Promise<string> {
  const end = performance.now() + SETTLED_MS;
  for (;;) {
    const code = errorCode((await ask()).text) ?? 'ok';
    if (!['unavailable', 'fenced', 'overloaded'].includes(code) || performance.now() > end) return code;
  }
}
