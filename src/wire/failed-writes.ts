/**
 * Lets a socket to an app be read to its end once nothing more can be sent. Node destroys a socket at the first write
 * that fails, and with it what the kernel holds: the answer of an app that refuses an upload and closes without
 * reading it to the end (RFC 9112 section 9.6). Below TLS it is the same: what was sent before the reset is decrypted
 * and read as long as the socket lives.
 */
import type { Socket } from 'node:net';

type Done = (error?: Error | null) => void;

/**
 * From now on `bear` is asked at each write that fails because the app has gone; the socket lives on where it says
 * true, and is destroyed as usual where not. The socket's own methods, not a class: only `connect` of node:tls makes a
 * socket that verifies whom it talks to.
 */
export function bearFailedWrites(socket: Socket, bear: (error: Error) => boolean): void {
  const write = socket._write.bind(socket);
  const writev = socket._writev?.bind(socket);
  const bearing = (done: Done): Done => {
    return (error) => done(error instanceof Error && isOfPeer(error) && bear(error) ? null : error);
  };
  socket._write = (chunk, encoding, done) => write(chunk, encoding, bearing(done));
  if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, bearing(done));
}

function isOfPeer(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
