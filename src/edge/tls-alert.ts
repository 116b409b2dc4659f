/**
 * Last words to a connection that gets no service: a TLS alert in plain, which clients of TLS 1.2 and
 * 1.3 understand before a handshake (RFC 8446 section 6), or a small HTTP answer. Then the socket
 * is closed in order, with unread bytes drained for a moment, since a reset would take the words away.
 */
import type { Socket } from 'node:net';

const LINGER_MS = 1_000;

export const UNRECOGNIZED_NAME: Buffer = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70]);
export const DECODE_ERROR: Buffer = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x32]);

const TEXT = 'This port speaks HTTPS only: use https:// in the address\n';
export const USE_HTTPS: Buffer = Buffer.from(
  `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${TEXT.length}\r\nConnection: close\r\n\r\n${TEXT}`,
);

/** Sends the bytes and closes. */
export function closeWith(socket: Socket, bytes: Buffer): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.end(bytes);
  socket.resume();
}
