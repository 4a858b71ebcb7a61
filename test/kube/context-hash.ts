import { createHash } from 'node:crypto';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * sha256 over what an image is built of, hex: its Dockerfile, and the files that .dockerignore of `folder` lets in (`!NAME`
 * lines; what it takes out of those again is counted all the same). Without a .dockerignore nothing of the folder counts.
 */
export function contextHash(folder: string, dockerfile: string): string {
  const ignore = globSync('.dockerignore', { cwd: folder });
  const rooms = ignore.flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1).trim()] : [])),
  );
  const files = rooms.flatMap((room) => globSync([room, `${room}/**/*`], { cwd: folder }));
  const hash = createHash('sha256');
  for (const file of [...new Set([...ignore, ...files])].sort()) {
    if (statSync(join(folder, file)).isFile()) hash.update(`${file}\0`).update(contentOf(join(folder, file)));
  }
  return hash.update(contentOf(dockerfile)).digest('hex');
}

/** Hashed itself, so that no two lists of files can read alike. */
const contentOf = (file: string): Buffer => createHash('sha256').update(readFileSync(file)).digest();
