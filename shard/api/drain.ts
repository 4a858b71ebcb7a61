import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** ms after which a client that goes on sending is cut off */
const DEADLINE_MS = 5000;

/** Connections whose request is answered already, though its body still comes. */
const answered = new WeakSet<Socket>();

/**
 * Reads on and throws away what a client still sends of a body that is being refused. To close a connection with unread
 * data resets it, and a client that sends first and reads then would see the reset instead of the answer. The connection
 * is cut when `limit` more bytes came or 5 s are over.
 */
export function drain(request: IncomingMessage, limit: number): void {
  if (request.complete || request.destroyed) return;
  const { socket } = request;
  let left = limit;
  const cut = (): void => void socket.destroy();
  const deadline = setTimeout(cut, DEADLINE_MS);
  answered.add(socket);
  request.on('data', (part: Buffer) => {
    left -= part.length;
    if (left < 0) cut();
  });
  request.on('end', () => answered.delete(socket));
  request.on('close', () => clearTimeout(deadline));
  request.resume();
}

/** Has the request that the connection still sends been answered? Then a second answer would be one too many. */
export const isAnswered = (socket: Socket): boolean => answered.has(socket);
