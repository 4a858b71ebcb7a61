import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const ROOT = new URL('../..', import.meta.url);

/** Starts a node with these variables, stops it when it listens, and resolves to the packages that it has loaded. */
async function loaded(env: Record<string, string>): Promise<string[]> {
  const data = mkdtempSync(join(tmpdir(), 'enc-off-'));
  const args = ['--import', './test/tracing/loaded.fixture.ts', 'shard/main.ts', '--port', '0', '--data', data];
  const child = spawn(process.execPath, args, { cwd: ROOT, env: { PATH: process.env['PATH'], ...env } });
  const said = text(child.stderr);
  child.stdout.on('data', (line: Buffer) => {
    if (line.includes('listening on')) child.kill('SIGTERM');
  });
  const [code] = await once(child, 'close');
  rmSync(data, { recursive: true, force: true });
  assert.equal(code, 0, await said);
  const names = Array.from((await said).matchAll(/^loaded (\S+)$/gm), ([, name]) => name as string);
  // prom-client loads the API, which does nothing by itself.
  return names.filter((name) => name !== '@opentelemetry/api');
}

test('no SDK of OpenTelemetry is loaded where no receiver of traces is named', async () => {
  assert.deepEqual(await loaded({ OTEL_TRACES_SAMPLER: 'always_on' }), []);
  const on = await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  assert.ok(on.includes('@opentelemetry/sdk-trace'), String(on));
});
