import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU that a process has used so far, all its threads, user and system, in seconds: as the operating system counts it. */
export function processCpu(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The same as the scheduler counts it, to the ns, without threads that have ended. */
export function runCpu(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const ran = (thread: string): number => Number(readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return readdirSync(folder).reduce((sum, thread) => sum + ran(thread), 0) / 1e9;
}

/** The same with all processes that it has started and that still run. */
export function treeCpu(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + treeCpu(Number(child)), processCpu(pid));
}

/** Resident memory of its own (heap, WASM, buffers; not the pages of files that it has mapped), bytes. */
export function privateMemory(pid: number): number {
  const line = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}
