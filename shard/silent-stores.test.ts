import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SilentStores, type StoresSeen } from './silent-stores.ts';

test('a store is silent 2 s after its last answer, however often its connection is made anew, then recovers for 5 s', () => {
  const heard = { log: 0, guard: 0 };
  const stores = new SilentStores(
    [
      { name: 'log', heardAt: () => heard.log },
      { name: 'guard', heardAt: () => heard.guard },
    ],
    0,
  );
  const at = (now: number, ...names: ('log' | 'guard')[]): StoresSeen => {
    for (const name of names) heard[name] = now;
    return stores.look(now);
  };
  const well = { silent: [], recovering: [] };
  assert.deepEqual(at(500, 'log', 'guard'), well);
  heard.guard = Number.NEGATIVE_INFINITY;
  assert.deepEqual(at(1500, 'log'), well);
  assert.deepEqual(at(2500, 'log'), well);
  assert.deepEqual(at(2501, 'log'), { silent: ['guard'], recovering: [] });
  assert.deepEqual(at(9000), { silent: ['log', 'guard'], recovering: [] });
  assert.deepEqual(at(9500, 'log'), { silent: ['guard'], recovering: ['log'] });
  assert.deepEqual(at(9600, 'log', 'guard'), { silent: [], recovering: ['log', 'guard'] });
  assert.deepEqual(at(14_100, 'log', 'guard'), { silent: [], recovering: ['guard'] });
  assert.deepEqual(at(14_600, 'log', 'guard'), well);
});

test('a store that was never heard of has its 2 s too', () => {
  const stores = new SilentStores([{ name: 'guard', heardAt: () => Number.NEGATIVE_INFINITY }], 1000);
  assert.deepEqual(stores.look(3000).silent, []);
  assert.deepEqual(stores.look(3001).silent, ['guard']);
});
