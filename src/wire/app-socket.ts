/**
 * A socket to an app of which everything that came can still be read once nothing more can be sent. Node
 * destroys a socket at the first write that fails, and with it what the kernel holds: the answer of an app
 * that refuses an upload and closes without reading it to the end (RFC 9112 section 9.6).
 */
import { Socket } from 'node:net';

type Done = (error?: Error | null) => void;
type Waiting = { chunk: Buffer | string; encoding: BufferEncoding }[];

export class AppSocket extends Socket {
  /** Told of each write that fails because the app has gone; then the socket lives on. Null: it is destroyed, as usual. */
  onWriteFailed: ((error: Error) => void) | null = null;

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: Done): void {
    super._write(chunk, encoding, this.onWriteFailed === null ? done : this.#bearing(done));
  }

  override _writev(chunks: Waiting, done: Done): void {
    super._writev?.(chunks, this.onWriteFailed === null ? done : this.#bearing(done));
  }

  #bearing(done: Done): Done {
    return (error) => {
      const tell = this.onWriteFailed;
      if (tell === null || error === null || error === undefined || !isOfPeer(error)) return done(error);
      done(null);
      tell(error);
    };
  }
}

function isOfPeer(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}
