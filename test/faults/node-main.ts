/**
 * The node of shard/main.ts with stores that fail as ENC_FAULT (a FaultPlan as JSON) says. It is an entry of its own, so
 * that the product has no hook for tests.
 */
import pino from 'pino';
import { makeConfig } from '../../shard/config/config.ts';
import { readEnv } from '../../shard/config/env.ts';
import { readSecrets } from '../../shard/config/secrets.ts';
import { startShard } from '../../shard/shard.ts';
import type { FaultPlan } from './fault-plan.ts';
import { faultyGuard, faultyLog } from './faulty-stores.ts';

const { ENC_FAULT, ...env } = process.env;
const plan = JSON.parse(ENC_FAULT ?? '{"append":{},"advance":{},"hits":"/dev/null"}') as FaultPlan;
let clock = plan.clock ?? 0;
let jump = plan.jump ?? 0;
process.on('SIGUSR2', () => {
  clock += jump;
  jump = -jump;
});
const read = readEnv(env, process.argv.slice(2));
if (read.kind === 'help') throw new Error('this node is started by tests');
const config = makeConfig(read.raw);
const logger = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));
const stopped = (error: unknown): void => {
  process.stderr.write(`enc-node: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
};
try {
  const shard = await startShard(
    config,
    readSecrets(env).adminToken,
    {
      logger,
      version: 'faults',
      now: () => Date.now() + clock,
      onFatal: (reason) => stopped(`${reason}; stopping`),
    },
    { log: (log) => faultyLog(log, plan), guard: (guard) => faultyGuard(guard, plan) },
  );
  process.on('SIGTERM', () => shard.stop().then(() => process.exit(0), stopped));
  process.stdout.write(`operator port on ${shard.operatorUrl}\nlistening on ${shard.url}\n`);
} catch (error) {
  stopped(error);
}
