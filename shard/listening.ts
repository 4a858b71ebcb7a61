import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** A connection kept alive would hold a closing server for as long as its client likes, ms. */
const CLOSE_IDLE_EVERY_MS = 20;

/** Rejects as listening would (EADDRINUSE, EACCES) if the port can't be had. */
export async function assertFree(address: { readonly host: string; readonly port: number }): Promise<void> {
  if (address.port === 0) return;
  const probe = createServer();
  probe.listen(address);
  await once(probe, 'listening');
  probe.close();
  await once(probe, 'close');
}

/** scheme://host:port of a server that listens */
export function urlOf(scheme: string, { address, port, family }: AddressInfo): string {
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

export const httpUrl = (app: FastifyInstance): string => urlOf('http', app.server.address() as AddressInfo);

/**
 * Serves for `ms` as before, but ends each connection with its next answer. Clients then connect again, where the load
 * balancer sends them meanwhile, and no call meets a connection that is just being closed.
 */
export async function turnAway(app: FastifyInstance, ms: number): Promise<void> {
  app.server.prependListener('request', (_request, response) => {
    response.shouldKeepAlive = false;
  });
  await sleep(ms);
}

/** Requests in flight are answered; connections end as soon as nothing is asked on them, and all of them after `ms`. */
export async function closeDoor(app: FastifyInstance, ms: number): Promise<void> {
  const idle = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const late = setTimeout(() => app.server.closeAllConnections(), ms);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}
