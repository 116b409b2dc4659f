/** For tests: an app over HTTP/2 that says to each request what no library would, frame by frame. */
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import * as frames from '../../test/support/http2-frames.ts';
import { listen } from './test-rig.ts';

export interface FrameVisit {
  readonly socket: Socket;
  readonly id: number;
  /** How many requests came before this one, on all connections. */
  readonly count: number;
  readonly send: (...parts: readonly Buffer[]) => void;
}

export interface FrameApp {
  readonly port: number;
  /** Requests. */
  readonly seen: () => number;
  /** What came on each connection, latin1. */
  readonly received: () => readonly string[];
  /** Answers to its pings. */
  readonly pongs: () => number;
  readonly close: () => void;
}

export async function startFrameApp(answer: (visit: FrameVisit) => void): Promise<FrameApp> {
  let count = 0;
  let pongs = 0;
  const sockets = new Set<Socket>();
  const received: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    const send: FrameVisit['send'] = (...parts) => void socket.write(Buffer.concat(parts));
    let rest: Buffer = Buffer.alloc(0);
    let at = frames.PREFACE.length;
    send(frames.frame(frames.SETTINGS, 0, 0));
    const connection = received.push('') - 1;
    socket.on('data', (chunk: Buffer) => {
      received[connection] += chunk.toString('latin1');
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= at + 9 && rest.length >= at + 9 + rest.readUIntBE(at, 3)) {
        const [type, flags, id] = [rest[at + 3], rest[at + 4], rest.readUInt32BE(at + 5)];
        at += 9 + rest.readUIntBE(at, 3);
        if (type === frames.SETTINGS && flags === 0) send(frames.frame(frames.SETTINGS, 1, 0));
        if (type === frames.PING && flags === 1) pongs++;
        if (type === frames.HEADERS) answer({ socket, id, count: count++, send });
      }
    });
  });
  const port = await listen(server);
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port, seen: () => count, received: () => received, pongs: () => pongs, close };
}

export const number = (value: number): Buffer => Buffer.from([0, 0, 0, value]);
export const headOf = (id: number, status = '200'): Buffer =>
  frames.frame(frames.HEADERS, frames.END_HEADERS, id, frames.block([[':status', status]]));
export const whole = ({ id, send }: FrameVisit): void =>
  send(headOf(id), frames.frame(frames.DATA, frames.END_STREAM, id, 'whole'));
