import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DEADLINE_MS = 60_000;

/** `npm start` as a user or a test harness runs it: in a group of its own, so that nothing is left behind here. */
function npmStart(data: string): ChildProcess {
  return spawn('npm', ['start', '--', '--port', '0', '--ops-port', 'off', '--data', data, '--crypto-workers', '1'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
}

/** The port that it says it listens on. */
async function listening(npm: ChildProcess): Promise<number> {
  let said = '';
  const signal = AbortSignal.timeout(DEADLINE_MS);
  while (!/^listening on \S+:\d+$/m.test(said)) {
    const [text] = (await once(npm.stdout as NonNullable<ChildProcess['stdout']>, 'data', { signal })) as [Buffer];
    said += text;
  }
  return Number(/^listening on \S+:(\d+)$/m.exec(said)?.[1]);
}

const taken = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });

test('every way of starting tells V8 the same', () => {
  const told: Record<string, string[]> = JSON.parse(readFileSync(join(ROOT, 'bin/node-args.json'), 'utf8'));
  const node = told['shard/main.ts']?.join(' ') ?? '';
  const router = told['router/main.ts']?.join(' ') ?? '';
  const says = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
  assert.ok(says('deploy/image/enc-node').includes(`heap='${node}'`));
  assert.ok(says('deploy/image/enc-node').includes(`exec node ${router} "$app/router/main.ts"`));
  assert.match(says('deploy/systemd/enc-node.service'), new RegExp(`^ExecStart=/usr/bin/node ${node} `, 'm'));
  assert.ok(says('docs/cluster.md').includes(`\`node ${node} shard/main.ts\``));
  assert.ok(says('docs/cluster.md').includes(`\`node ${router} router/main.ts\``));
  assert.ok(says('docs/operate.md').includes(`\`${node}\``));
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`a node whose npm gets ${signal} frees its port`, { timeout: 2 * DEADLINE_MS }, async (t) => {
    const data = mkdtempSync(join(tmpdir(), 'enc-starter-'));
    const npm = npmStart(data);
    t.after(() => {
      try {
        process.kill(-(npm.pid as number), 'SIGKILL');
      } catch {
        // nobody of the group is left, as it should be
      }
      rmSync(data, { recursive: true, force: true });
    });
    const port = await listening(npm);
    npm.kill(signal);
    const late = performance.now() + 10_000;
    while (await taken(port)) {
      assert.ok(performance.now() < late, 'still listening after 10 s');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
}
