/**
 * What the client may send (RFC 9113 section 5.2): a window for each stream and one for all. What somebody
 * took is granted again once half a window is used, so that an upload never waits for a frame of ours. Only
 * the window of the connection bounds memory; a stream that is read gets as much of it as there is.
 */
import { DEFAULT_WINDOW, FLOW_CONTROL_ERROR, Http2ConnectionError } from './codes.ts';
import type { FrameWriter } from './frame-writer.ts';

/** Of a new stream, as announced. */
export const STREAM_WINDOW = 262_144;
/** Of all streams together, and of one that is read. */
export const CONNECTION_WINDOW = 1_048_576;

export interface ReceivingStream {
  readonly id: number;
  receiveWindow: number;
  ungranted: number;
  hasGrown: boolean;
}

export class ReceiveWindows {
  readonly #writer: FrameWriter;
  #window = CONNECTION_WINDOW;
  #ungranted = 0;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /** Grants what the default lacks. */
  open(): void {
    this.#writer.windowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW);
  }

  /** A DATA frame came. Its whole length counts, with padding. */
  use(bytes: number): void {
    this.#window -= bytes;
    if (this.#window < 0) throw new Http2ConnectionError(FLOW_CONTROL_ERROR, 'connection-window');
  }

  /** True where a frame went out. */
  grant(bytes: number): boolean {
    this.#ungranted += bytes;
    if (this.#ungranted < CONNECTION_WINDOW / 2) return false;
    this.#writer.windowUpdate(0, this.#ungranted);
    this.#window += this.#ungranted;
    this.#ungranted = 0;
    return true;
  }

  grantStream(stream: ReceivingStream, bytes: number): boolean {
    stream.ungranted += bytes;
    if (stream.ungranted < STREAM_WINDOW / 2) return false;
    const more = stream.hasGrown ? 0 : CONNECTION_WINDOW - STREAM_WINDOW;
    const increment = stream.ungranted + more;
    this.#writer.windowUpdate(stream.id, increment);
    stream.receiveWindow += increment;
    stream.ungranted = 0;
    stream.hasGrown = true;
    return true;
  }
}
