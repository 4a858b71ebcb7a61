/**
 * What kernel/build.ts uses of `assemblyscript/asc`. tsconfig.json maps the package here: its own types declare a
 * global `console` and other names that hide Node's.
 */
import type binaryen from 'assemblyscript/binaryen';

interface Output {
  write(text: string | Uint8Array): void;
}

export function main(
  argv: readonly string[],
  options: {
    transforms?: { afterCompile?(module: binaryen.Module): void }[];
    stdout?: Output;
    stderr?: Output;
    writeFile?(name: string, contents: string | Uint8Array, baseDir: string): void;
  },
): Promise<{ error: Error | null }>;
