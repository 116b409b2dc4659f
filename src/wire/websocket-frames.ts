/**
 * Where the frames of a WebSocket end in a stream of bytes (RFC 6455 section 5.2), so that a gateway that ends a
 * tunnel can say so by a close frame of its own. Reads the heads of frames and skips the rest; judges nothing.
 */
import { randomBytes } from 'node:crypto';

/** The server, or a proxy for it, is going down (RFC 6455 section 7.4.1). */
export const GOING_AWAY = 1001;
/** The rules do not permit it any longer. */
export const POLICY_VIOLATION = 1008;

const OPCODE = 0x0f;
const CLOSE = 0x8;
const MASKED = 0x80;
const MASK_BYTES = 4;

/** Follows one direction. A frame larger than numbers are exact is never over. */
export class FrameFollower {
  /** A close frame has passed: whoever sent it says nothing more, and nobody else may. */
  hasClosed = false;
  /** Bytes of the frame that are still to come, its mask included. */
  #left = 0;
  /** Bytes of an extended length that are still to come. */
  #lengthBytes = 0;
  #isInHead = false;
  #isMasked = false;

  /** True where the next byte begins a frame. */
  get isBetweenFrames(): boolean {
    return this.#left === 0 && !this.#isInHead;
  }

  follow(chunk: Buffer): void {
    const { length } = chunk;
    let at = 0;
    while (at < length) {
      if (this.#left > 0 && !this.#isInHead) {
        const step = Math.min(this.#left, length - at);
        this.#left -= step;
        at += step;
      } else this.#readHead(chunk[at++] as number);
    }
  }

  #readHead(byte: number): void {
    if (!this.#isInHead) {
      this.#isInHead = true;
      this.#lengthBytes = -1;
      if ((byte & OPCODE) === CLOSE) this.hasClosed = true;
      return;
    }
    if (this.#lengthBytes === -1) this.#readLength(byte);
    else {
      this.#left = this.#left * 256 + byte;
      this.#lengthBytes--;
    }
    if (this.#lengthBytes > 0) return;
    this.#isInHead = false;
    if (this.#isMasked) this.#left += MASK_BYTES;
  }

  #readLength(byte: number): void {
    const length = byte & ~MASKED;
    this.#isMasked = (byte & MASKED) !== 0;
    this.#lengthBytes = length === 126 ? 2 : 0;
    if (length === 127) this.#lengthBytes = 8;
    this.#left = length < 126 ? length : 0;
  }
}

/** A client's frames are masked, a server's are not (section 5.1). */
export function closeFrame(code: number, isFromClient: boolean): Buffer {
  const payload = Buffer.of(code >> 8, code & 255);
  if (!isFromClient) return Buffer.from([0x80 | CLOSE, payload.length, ...payload]);
  const mask = randomBytes(MASK_BYTES);
  return Buffer.from([
    0x80 | CLOSE,
    MASKED | payload.length,
    ...mask,
    ...payload.map((byte, i) => byte ^ (mask[i] as number)),
  ]);
}
