/**
 * The live panel's end of the WebSocket: the server's time every second, and back whatever text the
 * visitor sends. It takes the byte stream after the handshake, from HTTP/1.1 or HTTP/2 alike.
 */
import type { Duplex } from 'node:stream';
import { systemClock, type Clock } from '../core/clock.ts';
import { closeFrame, FrameReader, pongFrame, textFrame } from './web-socket.ts';

const TICK_MS = 1_000;
const ENDING_MS = 500;
/** A visitor who reads nothing gets nothing more; one who also keeps sending is cut off. */
const MAX_UNREAD_BYTES = 262_144;

export interface WhoamiSocket {
  readonly bytesHeard: () => number;
  /** Says why by a close frame; whoever does not close then is broken off. */
  readonly end: (code: number) => void;
}

export function whoamiSocket(duplex: Duplex, clock: Clock = systemClock): WhoamiSocket {
  let heard = 0;
  const send = (frame: Buffer): void => {
    if (duplex.writable) duplex.write(frame);
    if (duplex.writableLength > MAX_UNREAD_BYTES) duplex.destroy();
  };
  const tick = (): void => {
    if (!duplex.writableNeedDrain) send(textFrame(JSON.stringify({ time: new Date(clock.now()).toISOString() })));
  };
  const timer = setInterval(tick, TICK_MS);
  const reader = new FrameReader({
    onText: (text) => send(textFrame(JSON.stringify({ echo: text }))),
    onPing: (payload) => send(pongFrame(payload)),
    onClose(code) {
      clearInterval(timer);
      if (duplex.writable) duplex.end(closeFrame(code));
    },
  });
  duplex.on('data', (chunk: Buffer) => {
    heard += chunk.length;
    reader.push(chunk);
  });
  duplex.on('end', () => {
    clearInterval(timer);
    if (duplex.writable) duplex.end();
  });
  duplex.on('close', () => clearInterval(timer));
  duplex.on('error', () => clearInterval(timer));
  tick();
  return {
    bytesHeard: () => heard,
    end(code) {
      clearInterval(timer);
      if (duplex.writable) duplex.end(closeFrame(code));
      setTimeout(() => duplex.destroy(), ENDING_MS).unref();
    },
  };
}
