/**
 * The image's HEALTHCHECK: is what this container runs ready? The check is a process of its own, with the container's
 * environment; role and arguments are on the command line of the container's first process.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { readiness } from './readiness.ts';

const words = readFileSync('/proc/1/cmdline', 'utf8').split('\0').slice(0, -1);
const at = words.findIndex((word) => basename(word) === 'enc-node');
const [role = 'enc', ...args] = at < 0 ? [] : words.slice(at + 1);
const { ready, says } = await readiness(role, args, process.env);
process.stdout.write(`${says}\n`);
process.exit(ready ? 0 : 1);
