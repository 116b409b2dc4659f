/** HTTP/2 by hand: frames that no decent client sends, and what came back, frame by frame. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(type: number, flags: number, id: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload as string, 'latin1');
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, body]);
}

export type Fields = readonly (readonly [name: string, value: string])[];

/** A header block of literals without indexing (RFC 7541 section 6.2.2), no Huffman. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length), bytes]);
}

/** RFC 7541 section 5.1 with a prefix of 7 bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export interface Http2Wire {
  readonly socket: Socket;
  readonly frames: Frame[];
  readonly isClosed: () => boolean;
  readonly send: (...frames: readonly Buffer[]) => void;
  /** Resolves when the condition holds or the connection is closed; rejects after 10 s. */
  readonly until: (isDone: (frames: readonly Frame[]) => boolean) => Promise<void>;
  readonly close: () => void;
}

export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Connects, by TLS with ALPN where a name is given, and sends the preface with empty settings. */
export async function openHttp2Wire(port: number, serverName: string | null = null): Promise<Http2Wire> {
  const socket =
    serverName === null
      ? connect(port, '127.0.0.1')
      : connectTls({
          port,
          host: '127.0.0.1',
          servername: serverName,
          ALPNProtocols: ['h2'],
          rejectUnauthorized: false,
        });
  await once(socket, serverName === null ? 'connect' : 'secureConnect');
  const frames: Frame[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let isClosed = false;
  let wake = (): void => undefined;
  socket.on('error', () => undefined);
  for (const event of ['end', 'close'])
    socket.on(event, () => {
      isClosed = true;
      wake();
    });
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const length = rest.readUIntBE(0, 3);
      const payload = rest.subarray(9, 9 + length);
      frames.push({
        type: rest[3] as number,
        flags: rest[4] as number,
        id: rest.readUInt32BE(5) & 0x7fffffff,
        payload,
      });
      rest = rest.subarray(9 + length);
    }
    wake();
  });
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]));
  return {
    socket,
    frames,
    isClosed: () => isClosed,
    send: (...more) => void socket.write(Buffer.concat(more)),
    until: (isDone) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`Cannot wait: got ${describe(frames)}`)), 40_000);
        wake = () => {
          if (!isDone(frames) && !isClosed) return;
          clearTimeout(timer);
          resolve();
        };
        wake();
      }),
    close: () => void socket.destroy(),
  };
}

/** How a stream ended: "reset 1", "goaway 11", a status, or "closed". */
export function outcomeOf(frames: readonly Frame[], id = 1): string {
  const goaway = frames.find(({ type }) => type === GOAWAY);
  if (goaway !== undefined && goaway.payload.readUInt32BE(4) !== 0) return `goaway ${goaway.payload.readUInt32BE(4)}`;
  const reset = frames.find((one) => one.type === RST_STREAM && one.id === id);
  if (reset !== undefined && reset.payload.readUInt32BE(0) !== 0) return `reset ${reset.payload.readUInt32BE(0)}`;
  const head = frames.find((one) => one.type === HEADERS && one.id === id);
  return head === undefined ? 'closed' : `status ${statusOf(head.payload)}`;
}

/** The static table has some statuses (RFC 7541 appendix A); of others the digits are read from Huffman's code. */
function statusOf(payload: Buffer): string {
  const INDEXED: Readonly<Record<number, string>> = {
    8: '200',
    9: '204',
    10: '206',
    11: '304',
    12: '400',
    13: '404',
    14: '500',
  };
  const first = payload[0] as number;
  if (first >= 0x80) return INDEXED[first & 127] ?? '?';
  const at = payload[1] as number;
  const bytes = payload.subarray(2, 2 + (at & 127));
  return (at & 128) === 0 ? bytes.toString('latin1') : digitsOf(bytes);
}

/** Digits in the code of RFC 7541 appendix B: 0, 1 and 2 in five bits, the others in six. */
function digitsOf(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let digits = '';
  for (let at = 0; at + 5 <= bits.length;) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2);
    if (five <= 2) {
      digits += String(five);
      at += 5;
      continue;
    }
    const six = Number.parseInt(bits.slice(at, at + 6), 2);
    if (six < 0x19 || six > 0x1f) break;
    digits += String(six - 0x16);
    at += 6;
  }
  return digits;
}

function describe(frames: readonly Frame[]): string {
  return frames.map(({ type, id, payload }) => `${type}/${id}/${payload.subarray(0, 16).toString('hex')}`).join(' ');
}
