/** A socket in memory for tests of a connection: what is written is kept, what comes is told at once. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import * as h2 from '../../../test/support/http2-frames.ts';
import { FACTS } from '../../../test/support/connection-facts.ts';
import { SMALL_LIMITS } from '../../../test/support/http2-settings.ts';
import type { Exchange, ExchangeOutcome, HandleExchange } from '../exchange.ts';
import { createTicker, type IntervalTicker } from '../ticker.ts';
import { ServerConnection } from './server-connection.ts';
import type { Http2Settings } from './settings.ts';

class MemorySocket extends Duplex {
  bytes: Buffer[] = [];
  bytesWritten = 0;
  /** True: the client takes nothing. */
  isStuck = false;
  #stuck: (() => void) | null = null;

  setNoDelay(): void {}

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytesWritten += chunk.length;
    this.bytes.push(Buffer.from(chunk));
    if (this.isStuck) this.#stuck = done;
    else done();
  }

  release(): void {
    this.isStuck = false;
    this.#stuck?.();
  }
}

export interface MemoryRig {
  readonly socket: MemorySocket;
  readonly connection: ServerConnection;
  readonly seen: Exchange[];
  readonly outcomes: ExchangeOutcome[];
  readonly refused: string[];
  readonly defects: unknown[];
  readonly ticker: IntervalTicker;
  readonly tick: (ms: number) => void;
  /** Bytes from the client. */
  readonly send: (...bytes: readonly Buffer[]) => void;
  /** Everything sent until now, frame by frame. */
  readonly frames: () => h2.Frame[];
  readonly close: () => void;
}

export function openInMemory(handle: HandleExchange, settings: Partial<Http2Settings> = {}): MemoryRig {
  let now = 1_000;
  const ticker = createTicker({ intervalMs: 1_000_000, leadMs: 0, now: () => now });
  const seen: Exchange[] = [];
  const outcomes: ExchangeOutcome[] = [];
  const refused: string[] = [];
  const defects: unknown[] = [];
  const socket = new MemorySocket({ allowHalfOpen: true });
  const all: Http2Settings = {
    ...SMALL_LIMITS,
    http2Streams: 16,
    ticker,
    onRefused: ({ status, rule }) => `id-${refused.push(`${status} ${rule}`)}`,
    onDefect: (error) => defects.push(error),
    ...settings,
  };
  const connection = new ServerConnection(socket as unknown as Socket, FACTS, all, (exchange) => {
    seen.push(exchange);
    exchange.onClose = (outcome) => outcomes.push(outcome);
    handle(exchange);
  });
  connection.open();
  return {
    socket,
    connection,
    seen,
    outcomes,
    refused,
    defects,
    ticker,
    tick: (ms) => {
      now += ms;
      ticker.tick();
    },
    send: (...bytes) => {
      for (const chunk of bytes) socket.emit('data', chunk);
    },
    frames: () => {
      connection.flush();
      return parseFrames(Buffer.concat(socket.bytes));
    },
    close: () => {
      connection.destroy();
      ticker.close();
    },
  };
}

export function parseFrames(bytes: Buffer): h2.Frame[] {
  const frames: h2.Frame[] = [];
  let at = 0;
  while (at + 9 <= bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    const [type, flags] = [bytes[at + 3] as number, bytes[at + 4] as number];
    const payload = bytes.subarray(at + 9, at + 9 + length);
    if (payload.length < length) throw new Error('Cannot read frames: the last one is cut off');
    frames.push({ type, flags, id: bytes.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  if (at !== bytes.length) throw new Error('Cannot read frames: something is left over');
  return frames;
}
