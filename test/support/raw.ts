/** Raw bytes to a port, and whatever comes back until the peer closes or is silent. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPatience } from '../../src/core/patience.ts';
import { createTimeLimit } from './time-limit.ts';

/** For the first byte: a busy machine may take its time, and where nothing comes the peer mostly closes. */
const FIRST_BYTE_MS = 20_000;

export interface RawAnswer {
  /** Latin1. */
  readonly text: string;
  readonly statuses: readonly number[];
  readonly closed: boolean;
  /** How the connection broke; null where it did not. */
  readonly error: string | null;
}

export interface RawOptions {
  /** Silence behind the first byte that ends the wait where the peer keeps the connection open. */
  readonly quietMs?: number;
  /** Pause between the parts. */
  readonly pauseMs?: number;
  /** What has to have come before the second part is sent. */
  readonly first?: string;
  /** Half close behind the last part. */
  readonly fin?: boolean;
}

export function sendRaw(port: number, bytes: string | readonly string[], options: RawOptions = {}): Promise<RawAnswer> {
  const parts = typeof bytes === 'string' ? [bytes] : bytes;
  const { quietMs = 700, pauseMs = 20, fin = false, first = '' } = options;
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: fin });
    let text = '';
    let error: string | null = null;
    let stop = (): void => undefined;
    const finish = (closed: boolean): void => {
      stop();
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
      resolve({ text, statuses, closed, error });
    };
    const wait = (): void => {
      stop();
      // Not by a timer alone: behind a stop of this process it would come before what has come meanwhile is read.
      stop = startPatience(text === '' ? Math.max(quietMs, FIRST_BYTE_MS) : quietMs, () => finish(false));
    };
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      wait();
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code ?? 'unknown'));
    socket.on('end', () => finish(true));
    socket.on('close', () => finish(true));
    socket.on('connect', () => {
      void (async () => {
        for (const [at, part] of parts.entries()) {
          const isOver = createTimeLimit(at === 0 ? 0 : FIRST_BYTE_MS);
          while (!text.includes(first) && !socket.destroyed && !isOver()) await sleep(5);
          socket.write(part, 'latin1');
          await sleep(pauseMs);
        }
        if (fin) socket.end();
        wait();
      })();
    });
  });
}
