/**
 * Writes a request body to an app in the framing that its head announced: exactly so many bytes, or
 * chunked (RFC 9112 sections 6 and 7). A body that turns out shorter or longer is an error, never a
 * complete message. Writes of one read event go out together.
 */
import { chunkLine, CRLF, frameChunk, lastChunk } from './chunked-encoder.ts';
import type { BodySink } from './exchange.ts';
import type { HeaderBlock } from './header-block.ts';
import { PosternError } from '../core/errors.ts';
import type { Socket } from 'node:net';

/** Below this, copying a chunk into its framing is cheaper than three writes. */
const COPY_BELOW = 4096;

export class RequestBodyWriter implements BodySink {
  /** True from `open` until the body is complete or given up. */
  isOpen = false;
  /** True while the app takes no more bytes. */
  isBlocked = false;
  /** Something of it was handed to the socket. */
  hasBegun = false;
  /** Something of it was, since this was last set to false. */
  hasMoved = false;
  readonly #socket: Socket;
  /** Called after the body was completed or blocked, and with the error where it broke. */
  readonly #onChange: (error: PosternError | null) => void;
  #isChunked = false;
  #left = 0;
  #isCorked = false;

  constructor(socket: Socket, onChange: (error: PosternError | null) => void) {
    this.#socket = socket;
    this.#onChange = onChange;
  }

  /** `length` as in BodySource. */
  open(length: number): void {
    this.isOpen = true;
    this.isBlocked = false;
    this.hasBegun = false;
    this.#isChunked = length === -1;
    this.#left = length;
  }

  close(): void {
    this.isOpen = false;
    this.isBlocked = false;
    this.flush();
  }

  /** Answers whether the body waits to go on. */
  unblock(): boolean {
    if (!this.isBlocked) return false;
    this.isBlocked = false;
    return this.isOpen;
  }

  write(chunk: Buffer): boolean {
    // What comes after the end is dropped: the answer came early, and nobody reads on.
    if (!this.isOpen || chunk.length === 0) return true;
    if (!this.#isChunked && chunk.length > this.#left) {
      this.#break('it is longer than announced');
      return true;
    }
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
    }
    this.hasBegun = true;
    this.hasMoved = true;
    const canGoOn = this.#isChunked ? this.#writeChunk(chunk) : this.#writePlain(chunk);
    if (!canGoOn) {
      this.isBlocked = true;
      this.#onChange(null);
    }
    return canGoOn;
  }

  flush(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#socket.uncork();
  }

  end(trailers: HeaderBlock | null): void {
    if (!this.isOpen) return;
    if (this.#isChunked) this.#socket.write(lastChunk(trailers), 'latin1');
    else if (this.#left !== 0) return this.#break('it is shorter than announced');
    this.close();
    this.#onChange(null);
  }

  abort(error: PosternError): void {
    if (!this.isOpen) return;
    this.close();
    this.#onChange(error);
  }

  #writePlain(chunk: Buffer): boolean {
    this.#left -= chunk.length;
    return this.#socket.write(chunk);
  }

  #writeChunk(chunk: Buffer): boolean {
    if (chunk.length < COPY_BELOW) return this.#socket.write(frameChunk(chunk));
    this.#socket.write(chunkLine(chunk.length), 'latin1');
    this.#socket.write(chunk);
    return this.#socket.write(CRLF, 'latin1');
  }

  #break(what: string): void {
    this.close();
    this.#onChange(new PosternError('BAD_REQUEST', `Cannot send the request body to the app: ${what}`));
  }
}
