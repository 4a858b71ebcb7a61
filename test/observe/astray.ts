import { join } from 'node:path';
import pino from 'pino';
import { MemoryTopology } from '../../cluster/topology/memory-topology.ts';
import type { Sight } from '../../cluster/topology/topology-store.ts';
import { makeRouterConfig, readRouterEnv } from '../../router/config/router-config.ts';
import { type RunningRouter, startRouter } from '../../router/router.ts';
import type { EnclaveLog } from '../../shard/log/enclave-log.ts';
import { TestNode } from '../api/node.ts';
import type { House } from './house.ts';

/** A store of topologies that does not answer. */
class Unreachable extends MemoryTopology {
  override async look(): Promise<Sight> {
    throw new Error('not reached');
  }
}

/** A router of another version that reaches neither the topology store nor, so, any shard. */
export async function startAstrayRouter(house: House): Promise<RunningRouter> {
  const read = readRouterEnv({}, [
    ...['--data', join(house.folder, 'astray'), '--port', '0', '--topology-url', 'redis://127.0.0.1:1'],
    ...['--link-secret', house.cluster.secret],
  ]);
  if (read.kind !== 'settings') throw new Error('these settings ask for help');
  return startRouter(makeRouterConfig(read.raw), null, {
    logger: pino({ level: 'silent' }),
    version: '0.0.1-test',
    store: new Unreachable(),
  });
}

/** A node whose log fails at what nobody expects it to fail at: checkpoints, lookups by hash, closings for the archive. */
export function startFaultyNode(house: House): Promise<TestNode> {
  const log = (inner: EnclaveLog): EnclaveLog =>
    new Proxy(inner, {
      get(target, name) {
        if (name === 'checkpoint' || name === 'findHash') return () => Promise.reject(new Error('out of order'));
        if (name === 'closing') return () => Promise.resolve(null);
        const member = Reflect.get(target, name, target) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  const flags = ['--archive-dir', join(house.folder, 'archive-faulty'), '--max-active', '1'];
  return TestNode.start({ data: join(house.folder, 'faulty'), flags, overrides: { log } });
}
