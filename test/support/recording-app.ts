/**
 * An app that counts strictly: it keeps every byte, and counts the requests that a careful reader of
 * RFC 9112 finds in them. What it cannot read it counts as broken.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface RecordedRequest {
  readonly line: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Lines with CRLF, "" without. */
  readonly trailers: string;
}

export interface RecordingApp {
  readonly port: number;
  readonly requests: RecordedRequest[];
  /** Bytes that are no request. */
  readonly broken: string[];
  reset(): void;
  close(): Promise<void>;
}

export async function startRecordingApp(
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
): Promise<RecordingApp> {
  const requests: RecordedRequest[] = [];
  const broken: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let bytes = '';
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.toString('latin1');
      for (;;) {
        const read = readRequest(bytes);
        if (read === 'more') return;
        if (read === 'broken') {
          broken.push(bytes);
          socket.destroy();
          return;
        }
        requests.push(read.request);
        bytes = bytes.slice(read.length);
        socket.write(answer);
      }
    });
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    broken,
    reset() {
      requests.length = 0;
      broken.length = 0;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => {
        server.close(done);
      });
    },
  };
}

type Read = { readonly request: RecordedRequest; readonly length: number } | 'more' | 'broken';

function readRequest(bytes: string): Read {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return 'more';
  const [line = '', ...lines] = bytes.slice(0, end).split('\r\n');
  if (!/^[A-Z]+ [\x21-\x7e]+ HTTP\/1\.1$/.test(line)) return 'broken';
  const fields: [string, string][] = [];
  for (const one of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(one);
    if (match === null) return 'broken';
    fields.push([match[1] ?? '', match[2] ?? '']);
  }
  const all = (name: string): string[] =>
    fields.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  const lengths = all('content-length');
  const codings = all('transfer-encoding');
  if (all('host').length !== 1 || lengths.length + codings.length > 1) return 'broken';
  const start = end + 4;
  if (codings.length === 1) return readChunked(bytes, start, line, fields);
  const length = Number(lengths[0] ?? 0);
  if (!Number.isInteger(length)) return 'broken';
  if (bytes.length < start + length) return 'more';
  return { request: { line, fields, body: bytes.slice(start, start + length), trailers: '' }, length: start + length };
}

// oxlint-disable-next-line max-params -- plain facts of one reading
function readChunked(bytes: string, start: number, line: string, fields: RecordedRequest['fields']): Read {
  let at = start;
  let body = '';
  for (;;) {
    const eol = bytes.indexOf('\r\n', at);
    if (eol === -1) return 'more';
    const digits = bytes.slice(at, eol);
    if (!/^[0-9a-fA-F]+$/.test(digits)) return 'broken';
    const size = Number.parseInt(digits, 16);
    if (size === 0) {
      const end = bytes.startsWith('\r\n', eol + 2) ? eol + 2 : bytes.indexOf('\r\n\r\n', eol + 2) + 2;
      if (end === 1 || bytes.length < end + 2) return 'more';
      const trailers = bytes.slice(eol + 2, end);
      return { request: { line, fields, body, trailers }, length: end + 2 };
    }
    if (bytes.length < eol + 2 + size + 2) return 'more';
    if (bytes.slice(eol + 2 + size, eol + 4 + size) !== '\r\n') return 'broken';
    body += bytes.slice(eol + 2, eol + 2 + size);
    at = eol + 4 + size;
  }
}
