import { createServer, type Server } from 'node:http';
import type { CorpusSource } from './corpus-source.ts';

/** Of one answer at most: about 70 ms of signing. */
const MAX_COUNT = 2000;

/**
 * Hands out commits that are signed when they are asked for, so that a load may run for longer than a signed commit is
 * good: `/` the header, `/manifests`, `/commits?count=N`; one JSON text a line, good for `lifetime` ms. Loopback only
 * by default: whoever reaches it can write to the enclaves of this corpus, and to nothing else.
 */
export async function serveCorpus(
  source: CorpusSource,
  listen: { readonly host: string; readonly port: number },
  lifetime: number,
): Promise<Server> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://corpus');
    const exp = Date.now() + lifetime;
    const answer = (lines: Iterable<string>): void => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(`${[...lines].join('\n')}\n`);
    };
    if (pathname === '/') return answer([JSON.stringify(source.header(null, null))]);
    if (pathname === '/manifests') return answer(source.manifests(exp));
    const count = Number(searchParams.get('count') ?? 1);
    if (pathname === '/commits' && Number.isInteger(count) && count >= 1 && count <= MAX_COUNT)
      return answer(source.commits(count, exp));
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(listen.port, listen.host, resolve);
  });
  return server;
}
