import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TYPES } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { openCryptoPool } from '../crypto/pool.ts';
import type { PendingCommit } from './commit.ts';
import { type Target, Verifier } from './verifier.ts';

const pool = openCryptoPool({ backend: 'noble', workers: 1, onWorkerDeath: () => {} });
after(() => pool.close());

/** What becomes of each commit, in order. */
class Scene implements Target {
  readonly happened: string[] = [];

  commit(name: string, type: (typeof TYPES)[number]): PendingCommit {
    const ic = new Uint8Array(256);
    ic[7] = TYPES.indexOf(type);
    const reply = (code: number): void => void this.happened.push(`${name} answered ${code}`);
    return Object.assign({ ic, flags: 0, reply, arrived: 0, trace: null }, { name });
  }

  push(commit: PendingCommit): void {
    this.happened.push(`${(commit as unknown as { name: string }).name} staged`);
  }

  pump(): void {}
}

test('a commit whose target can not be looked up is not decided without it; others of the job are', async () => {
  const scene = new Scene();
  const verifier = new Verifier(pool, async (commit) => {
    if (commit.ic[7] === TYPES.indexOf('Delete')) throw new Error('no connection');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  const target: Target = { push: (commit) => scene.push(commit), pump: resolve };
  verifier.add(scene.commit('first', 'Update'), target);
  verifier.add(scene.commit('second', 'Delete'), target);
  verifier.add(scene.commit('third', 'Move'), target);
  await promise;
  assert.deepEqual(scene.happened, ['first staged', `second answered ${errorNumber('unavailable')}`, 'third staged']);
  assert.equal(verifier.waiting, 0);
});
