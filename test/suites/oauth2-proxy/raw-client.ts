/**
 * One request as exactly the bytes that are given, one answer as exactly the fields that came: nothing is
 * folded, decoded or followed. Each request has a connection of its own.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export type Field = readonly [name: string, value: string];

export interface Answer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly fields: readonly Field[];
  readonly body: string;
  /** Answers before the last, such as 103, with their fields. */
  readonly interim: readonly { readonly status: number; readonly fields: readonly Field[] }[];
  /** What came after 101, in latin1. */
  readonly tunnel: string;
}

export interface RawRequest {
  /** `GET /path`: the version is added, where it has none. */
  readonly line: string;
  readonly fields: readonly Field[];
  readonly body?: string;
  readonly tls?: boolean;
  /** Sent after a 101. */
  readonly afterUpgrade?: string;
}

const MOST_MS = 30_000;
const NO_ANSWER: Answer = { status: 0, fields: [], body: '', interim: [], tunnel: '' };

export function bytesOf({ line, fields, body = '' }: RawRequest): Buffer {
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const version = / HTTP\/\d\.\d$/.test(line) ? '' : ' HTTP/1.1';
  return Buffer.from(`${line}${version}\r\n${lines}\r\n${body}`, 'latin1');
}

export function sendExactly(port: number, request: RawRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket =
      request.tls === true
        ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
        : connect(port, '127.0.0.1');
    let text = '';
    let isUpgraded = false;
    const finish = (answer: Answer | null): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer ?? NO_ANSWER);
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`Cannot read an answer to "${request.line}" within ${MOST_MS} ms; so far: ${text}`));
    }, MOST_MS);
    const isHead = request.line.startsWith('HEAD ');
    const read = (ended: boolean): void => {
      const answer = readAnswer(text, isHead, ended);
      if (answer === null) {
        if (ended) finish(null);
        return;
      }
      if (answer.status !== 101 || ended || answer.tunnel.length >= (request.afterUpgrade ?? '').length) finish(answer);
      else if (!isUpgraded) {
        isUpgraded = true;
        socket.write(request.afterUpgrade ?? '', 'latin1');
      }
    };
    whenData(socket, (chunk) => {
      text += chunk;
      read(false);
    });
    // A reset after the answer is no news; before it, "no answer" is what is told.
    socket.on('error', () => read(true));
    socket.on('end', () => read(true));
    socket.on(request.tls === true ? 'secureConnect' : 'connect', () => socket.write(bytesOf(request)));
  });
}

/** One connection after another, a request at a time: for many thousands of them. */
export interface KeptClient {
  /** Answers the status; 0 where the connection ended without one. */
  readonly send: (bytes: Buffer) => Promise<number>;
  readonly close: () => void;
}

export function createKeptClient(port: number): KeptClient {
  let socket: Socket | null = null;
  return {
    send: (bytes) =>
      new Promise((resolve, reject) => {
        const own = socket ?? connect(port, '127.0.0.1');
        socket = null;
        let text = '';
        const finish = (status: number, isKept: boolean): void => {
          clearTimeout(timer);
          own.removeAllListeners();
          own.on('error', () => undefined);
          if (isKept) socket = own;
          else own.destroy();
          resolve(status);
        };
        const timer = setTimeout(() => reject(new Error(`Cannot read an answer; so far: ${text}`)), MOST_MS);
        const read = (ended: boolean): void => {
          const answer = readAnswer(text, bytes.subarray(0, 5).toString() === 'HEAD ', ended);
          const closes = answer?.fields.some(([name, value]) => /^connection$/i.test(name) && /close/i.test(value));
          if (answer !== null) finish(answer.status, !ended && closes !== true);
          else if (ended) finish(0, false);
        };
        whenData(own, (chunk) => {
          text += chunk;
          read(false);
        });
        own.on('error', () => read(true));
        own.on('end', () => read(true));
        own.write(bytes);
      }),
    close: () => socket?.destroy(),
  };
}

function whenData(socket: Socket, take: (chunk: string) => void): void {
  socket.on('data', (chunk: Buffer) => take(chunk.toString('latin1')));
}

/** Null: not complete yet. */
function readAnswer(text: string, isHead: boolean, ended: boolean): Answer | null {
  const interim: { status: number; fields: readonly Field[] }[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end === -1) return null;
    const [line = '', ...lines] = text.slice(at, end).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1] ?? -1);
    const fields = lines.map((one): Field => [one.slice(0, one.indexOf(':')), one.slice(one.indexOf(':') + 1).trim()]);
    at = end + 4;
    if (status === 101) return { status, fields, body: '', interim, tunnel: text.slice(at) };
    if (status >= 200 || status < 0) {
      const body = readBody(text.slice(at), { fields, ended, isEmpty: isHead || status === 204 || status === 304 });
      return body === null ? null : { status, fields, body, interim, tunnel: '' };
    }
    interim.push({ status, fields });
  }
}

interface BodyFacts {
  readonly fields: readonly Field[];
  readonly ended: boolean;
  readonly isEmpty: boolean;
}

function readBody(text: string, { fields, ended, isEmpty }: BodyFacts): string | null {
  if (isEmpty) return '';
  const value = (name: string): string | undefined => fields.find(([key]) => key.toLowerCase() === name)?.[1];
  if (value('transfer-encoding') === 'chunked') return readChunks(text);
  const length = value('content-length');
  if (length === undefined) return ended ? text : null;
  return text.length >= Number(length) ? text.slice(0, Number(length)) : null;
}

function readChunks(text: string): string | null {
  let at = 0;
  let body = '';
  for (;;) {
    const eol = text.indexOf('\r\n', at);
    if (eol === -1) return null;
    const size = Number.parseInt(text.slice(at, eol), 16);
    if (size === 0) return text.includes('\r\n\r\n', eol) ? body : null;
    if (text.length < eol + 4 + size) return null;
    body += text.slice(eol + 2, eol + 2 + size);
    at = eol + 4 + size;
  }
}
