import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Mutation } from './mutations.ts';
import type { Runtime, Runtimes } from './pair.ts';
import { run } from './run.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A copy of protocol/ and the reference kernel with one fault in it. Throws if the text is not found exactly once. */
async function mutant(folder: string, mutation: Mutation): Promise<Runtime> {
  const plain = (source: string): boolean => !source.endsWith('.test.ts');
  mkdirSync(join(folder, 'kernel'), { recursive: true });
  cpSync(join(ROOT, 'protocol'), join(folder, 'protocol'), { recursive: true, filter: plain });
  cpSync(join(ROOT, 'kernel/reference'), join(folder, 'kernel/reference'), { recursive: true, filter: plain });
  cpSync(join(ROOT, 'kernel/kernel.ts'), join(folder, 'kernel/kernel.ts'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  const file = join(folder, mutation.file);
  const source = readFileSync(file, 'utf8');
  // Formatting may break a line differently: white space is free.
  const pattern = new RegExp(
    mutation.text
      .split(/\s+/)
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('\\s*'),
    'g',
  );
  const found = source.match(pattern)?.length ?? 0;
  if (found !== 1) throw new Error(`mutation "${mutation.name}": its text occurs ${found} times in ${mutation.file}`);
  writeFileSync(
    file,
    source.replace(pattern, () => mutation.fault),
  );
  const load = (path: string) => import(pathToFileURL(join(folder, path)).href);
  const { createReferenceInspector } = await load('kernel/reference/inspector.ts');
  const { createReferenceKernel } = await load('kernel/reference/kernel.ts');
  return { name: 'mutant', inspector: createReferenceInspector, kernel: createReferenceKernel };
}

/** Runs the mutant beside `judge`: how many requests it took to see a difference, or −1 if none was seen in `requests`. */
export async function requestsUntilCaught(
  judge: Runtime,
  mutation: Mutation,
  requests: number,
  seeds: readonly number[],
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'enc-mutant-'));
  try {
    const runtimes: Runtimes = [judge, await mutant(folder, mutation)];
    let made = 0;
    for (const seed of seeds) {
      const result = run(runtimes, { requests, seed });
      made += result.requests;
      if (result.difference !== null) return made;
    }
    return -1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
