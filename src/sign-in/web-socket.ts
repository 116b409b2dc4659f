/**
 * Reads WebSocket frames of a client and writes a server's (RFC 6455): small messages, no extension.
 * Refuses unmasked frames, reserved bits, unknown opcodes, long control frames, text that is not
 * UTF-8, and messages over 64 KiB. It is for the built-in app; tunnels only see where frames end.
 */
import { hash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_MESSAGE = 65_536;
const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Sec-WebSocket-Accept for a Sec-WebSocket-Key; null where the key is not 16 bytes of base64. */
export function acceptKey(key: string | null | undefined): string | null {
  if (key === null || key === undefined || !/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) return null;
  return hash('sha1', key + GUID, 'base64');
}

export function textFrame(text: string): Buffer {
  return frame(TEXT, Buffer.from(text));
}

export function pongFrame(payload: Buffer): Buffer {
  return frame(PONG, payload);
}

export function closeFrame(code: number): Buffer {
  return frame(CLOSE, Buffer.of(code >> 8, code & 255));
}

function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.of(0x80 | opcode, length), payload]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

export interface FrameHandlers {
  readonly onText: (text: string) => void;
  readonly onPing: (payload: Buffer) => void;
  /** The peer closes, or broke the protocol: answer with this code, then end. */
  readonly onClose: (code: number) => void;
}

/** Takes bytes as they come; after `onClose` it takes nothing more. */
export class FrameReader {
  readonly #handlers: FrameHandlers;
  #buffered: Buffer = Buffer.alloc(0);
  #parts: Buffer[] | null = null;
  #isOver = false;

  constructor(handlers: FrameHandlers) {
    this.#handlers = handlers;
  }

  push(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    while (!this.#isOver && this.#next());
  }

  /** Reads one whole frame; false where more bytes are needed. */
  #next(): boolean {
    const bytes = this.#buffered;
    if (bytes.length < 2) return false;
    const first = bytes.readUInt8(0);
    const second = bytes.readUInt8(1);
    const opcode = first & 15;
    const isControl = opcode >= CLOSE;
    const short = second & 127;
    if ((first & 0x70) !== 0 || (second & 0x80) === 0) return this.#end(1002);
    if (isControl && (short > 125 || (first & 0x80) === 0)) return this.#end(1002);
    const headLength = 2 + extendedBytes(short) + 4;
    if (bytes.length < headLength) return false;
    const length = payloadLength(bytes, short);
    if (length > MAX_MESSAGE) return this.#end(1009);
    if (bytes.length < headLength + length) return false;
    const payload = unmask(bytes, headLength, length);
    this.#buffered = bytes.subarray(headLength + length);
    if (isControl) this.#control(opcode, payload);
    else this.#data(opcode, payload, (first & 0x80) !== 0);
    return true;
  }

  #control(opcode: number, payload: Buffer): void {
    if (opcode === PING) this.#handlers.onPing(payload);
    else if (opcode === CLOSE) this.#end(closeCode(payload));
    else if (opcode !== PONG) this.#end(1002);
  }

  #data(opcode: number, payload: Buffer, isLast: boolean): void {
    if (opcode === BINARY) return void this.#end(1003);
    // A message begins with TEXT and goes on with CONTINUATION, never otherwise.
    if (opcode !== (this.#parts === null ? TEXT : CONTINUATION)) return void this.#end(1002);
    this.#parts ??= [];
    this.#parts.push(payload);
    const size = this.#parts.reduce((sum, part) => sum + part.length, 0);
    if (size > MAX_MESSAGE || this.#parts.length > 1_024) return void this.#end(1009);
    if (!isLast) return;
    const text = readText(Buffer.concat(this.#parts));
    this.#parts = null;
    if (text === null) this.#end(1007);
    else this.#handlers.onText(text);
  }

  #end(code: number): false {
    this.#isOver = true;
    this.#buffered = Buffer.alloc(0);
    this.#parts = null;
    this.#handlers.onClose(code);
    return false;
  }
}

function extendedBytes(short: number): number {
  if (short === 126) return 2;
  return short === 127 ? 8 : 0;
}

function payloadLength(bytes: Buffer, short: number): number {
  if (short === 126) return bytes.readUInt16BE(2);
  return short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
}

function unmask(bytes: Buffer, from: number, length: number): Buffer {
  const payload = Buffer.from(bytes.subarray(from, from + length));
  for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ (bytes[from - 4 + (i & 3)] as number);
  return payload;
}

/** RFC 6455 section 7.4: the code to answer a close frame with. */
function closeCode(payload: Buffer): number {
  if (payload.length === 0) return 1000;
  if (payload.length === 1) return 1002;
  const code = payload.readUInt16BE(0);
  const isDefined = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011) || (code >= 3000 && code < 5000);
  return isDefined && readText(payload.subarray(2)) !== null ? code : 1002;
}

function readText(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
