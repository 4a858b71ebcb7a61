import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ROUTER_SETTINGS } from '../../router/config/router-settings.ts';
import { CLUSTER_SETTINGS } from '../../shard/config/cluster-settings.ts';
import { SETTINGS } from '../../shard/config/settings.ts';

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const named = (text: string): Set<string> => new Set(text.match(/ENC_[A-Z_]*[A-Z]/g));
const envOf = (table: Readonly<Record<string, { env: string }>>): string[] =>
  Object.values(table).map(({ env }) => env);

test('docs/cluster.md names every setting of a cluster, and no other than there are', () => {
  const text = read('cluster.md');
  const own = [...envOf(CLUSTER_SETTINGS), ...envOf(ROUTER_SETTINGS).filter((env) => !envOf(SETTINGS).includes(env))];
  const table = named(text.slice(text.indexOf('## The parts'), text.indexOf('## Redis')));
  assert.deepEqual(
    own.filter((env) => !table.has(env)),
    [],
  );
  const known = new Set([...envOf(SETTINGS), ...envOf(ROUTER_SETTINGS), 'ENC_ADMIN_TOKEN', 'ENC_ADMIN_TOKEN_FILE']);
  for (const name of [...named(text), ...named(read('operate.md'))]) assert.ok(known.has(name), name);
});
