import { mkdirSync } from 'node:fs';
import type { Part } from './child.ts';

/**
 * Ends redis-server with whoever started it: Redis itself does not notice that its parent was killed. Standard input is
 * a pipe from the parent, which breaks with it.
 */
const WITH_PARENT = `
exec 4<&0
"$@" </dev/null 4<&- &
server=$!
trap 'kill -TERM $server 2>/dev/null' TERM
( cat <&4 >/dev/null; kill -TERM $server 2>/dev/null ) &
watcher=$!
while kill -0 $server 2>/dev/null; do wait $server; done
kill $watcher 2>/dev/null
exit 0
`;

/** A redis-server on loopback that is as durable as log and guard ask for: every write is synced before it is answered. */
export function redisPart(name: string, folder: string, port: number, env: Part['env']): Part {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'always',
    'no-appendfsync-on-rewrite': 'no',
    'maxmemory-policy': 'noeviction',
    save: '',
    daemonize: 'no',
  };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
  return {
    name,
    command: 'sh',
    args: ['-c', WITH_PARENT, 'sh', 'redis-server', ...args],
    env,
    ready: /Ready to accept connections/,
    describe: () => `redis://127.0.0.1:${port}`,
  };
}
