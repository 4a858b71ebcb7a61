/**
 * Ends this process when the npm that started it is gone. Whoever kills `npm start` means the node, but npm hands only
 * SIGINT and SIGTERM on, and on many systems only to a shell in between, which dies of it and tells nobody: the node
 * would keep its port and folder. Plain JavaScript that runs on Node 18.
 */
import { readFileSync } from 'node:fs';

/** ms between two looks: far less than a node needs to start again */
const EVERY_MS = 100;

/** Name and parent of a process, where /proc tells them. */
function told(pid) {
  try {
    const [, name, parent] = /^\d+ \((.*)\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return { name, parent: Number(parent) };
  } catch {
    return null;
  }
}

/**
 * Looks from now on. A shell in between that has ended passes on as SIGTERM, as npm meant it; an npm that has was killed,
 * and so is this.
 */
export function endWithStarter() {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const shell = told(parent);
  const between = shell !== null && /^(ba|da|a|z|k)?sh$/.test(shell.name);
  let asked = false;
  setInterval(() => {
    if (process.ppid === parent) {
      if (between && told(parent)?.parent !== shell.parent && process.ppid === parent) process.exit(1);
      return;
    }
    if (!between) process.exit(1);
    if (!asked) process.kill(process.pid, 'SIGTERM');
    asked = true;
  }, EVERY_MS).unref();
}
