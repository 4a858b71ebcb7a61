import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** Connections on which a file is coming in. */
const uploading = new WeakSet<Socket>();

/**
 * A file may take as long as it takes to arrive, but not stand still: a pause of `pause` ms ends its connection. What
 * other requests have to arrive whole (ENC_REQUEST_TIMEOUT_MS) is passed over while it comes in (isUpload).
 */
export function beginUpload(request: IncomingMessage, pause: number): void {
  const { socket } = request;
  uploading.add(socket);
  socket.setTimeout(pause, () => socket.destroy());
  request.once('end', () => socket.setTimeout(0));
  request.once('close', () => uploading.delete(socket));
}

export function isUpload(socket: Socket): boolean {
  return uploading.has(socket);
}
