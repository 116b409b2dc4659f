/**
 * The application behind both programs, one instance for each: it keeps what it is asked, byte for byte as
 * far as Node hands it over, and answers by path in the ways that proxies get wrong.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { gzipSync } from 'node:zlib';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Field } from './raw-client.ts';

export interface Received {
  readonly line: string;
  readonly fields: readonly Field[];
  readonly body: string;
}

export interface Upstream {
  readonly port: number;
  readonly socketPath: string | null;
  /** What came since the last call. */
  readonly take: () => Received[];
  readonly close: () => Promise<void>;
}

const SLOW_MS = 2_500;
/** Between two events, or two pieces of a body. */
export const PAUSE_MS = 1_200;

export interface UpstreamOptions {
  /** Null: on a port of its own. */
  readonly socketPath?: string | null;
  /** Over TLS, where it speaks HTTP/2 with whoever wants to. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export async function startUpstream({ socketPath = null, tls }: UpstreamOptions = {}): Promise<Upstream> {
  let received: Received[] = [];
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    if (request.url?.startsWith('/first-piece') === true) return answerFirstPiece(request, response);
    void (async () => {
      const body = await bodyOf(request);
      received.push({ line: `${request.method} ${request.url}`, fields: fieldsOf(request), body });
      answer(request, response);
    })();
  };
  const server = tls === undefined ? createServer({ keepAliveTimeout: 30_000 }, serve) : secureServer(tls, serve);
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    received.push({ line: `${request.method} ${request.url}`, fields: fieldsOf(request), body: '' });
    acceptWebSocket(request, socket);
  });
  await new Promise<void>((done) => {
    if (socketPath === null) server.listen(0, '127.0.0.1', done);
    else server.listen(socketPath, done);
  });
  const address = server.address();
  return {
    port: address === null || typeof address === 'string' ? 0 : (address satisfies AddressInfo).port,
    socketPath,
    take() {
      const taken = received;
      received = [];
      return taken;
    },
    close: () => end(server),
  };
}

/** The compatible half of its API is what the application uses. */
function secureServer(tls: NonNullable<UpstreamOptions['tls']>, serve: Send): Server {
  const server = createSecureServer({ ...tls, allowHTTP1: true });
  server.on('request', serve as unknown as (request: Http2ServerRequest, response: Http2ServerResponse) => void);
  return server as unknown as Server;
}

/** Answers when the first piece of the body is there, and says how much of it that was. */
function answerFirstPiece(request: IncomingMessage, response: ServerResponse): void {
  request.once('data', (chunk: Buffer) => {
    response.writeHead(200, { 'content-type': 'text/plain' }).end(`${chunk.length} bytes\n`);
    request.resume();
  });
}

type Send = (request: IncomingMessage, response: ServerResponse) => void;

/** What takes more than a head and a body in one piece. */
const STREAMS: Readonly<Record<string, Send | undefined>> = {
  '/events': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.write('data: one\n\n');
    setTimeout(() => response.end('data: two\n\n'), PAUSE_MS);
  },
  '/pieces': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' });
    response.write('one');
    setTimeout(() => response.end('two'), PAUSE_MS);
  },
  '/trailers': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', trailer: 'X-Sum' });
    response.write('body\n');
    response.addTrailers({ 'x-sum': '1' });
    response.end();
  },
  '/cached': (request, response) => {
    const isKnown = request.headers['if-none-match'] === '"v1"';
    const headers = { etag: '"v1"', 'cache-control': 'max-age=60', 'content-type': 'text/plain' };
    response.writeHead(isKnown ? 304 : 200, headers).end(isKnown ? '' : 'cached\n');
  },
  '/packed': (_request, response) => {
    const packed = gzipSync('packed\n');
    const headers = { 'content-encoding': 'gzip', 'content-type': 'text/plain', vary: 'Accept-Encoding' };
    response.writeHead(200, { ...headers, 'content-length': packed.length }).end(packed);
  },
  '/large': (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.alloc(1 << 20, 'x'));
  },
  '/range': (_request, response) => {
    response.writeHead(206, { 'content-range': 'bytes 0-3/10', 'content-type': 'text/plain' }).end('0123');
  },
  '/odd-status': (_request, response) => response.writeHead(299, 'Odd', { 'x-app': 'odd' }).end('odd\n'),
  '/breaks': (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '100' });
    response.write('half');
    setTimeout(() => response.socket?.destroy(), 50);
  },
  '/resets': (_request, response) => response.socket?.destroy(),
};

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url ?? '/', 'http://app').pathname;
  const stream = STREAMS[path];
  if (stream !== undefined) return stream(request, response);
  const headers: Record<string, string | string[]> = { 'content-type': 'text/plain', 'x-app': 'echo' };
  if (path === '/early') response.writeEarlyHints({ link: '</style.css>; rel=preload' });
  if (path === '/cookies') headers['set-cookie'] = ['one=1; Path=/', 'two=2; Path=/'];
  if (path === '/twice') headers['x-twice'] = ['a', 'b'];
  if (path === '/claims') Object.assign(headers, { 'x-auth-request-user': 'of-the-app', 'gap-auth': 'of-the-app' });
  if (path === '/hsts') headers['strict-transport-security'] = 'max-age=1';
  if (path === '/redirect') response.writeHead(302, { ...headers, location: '/elsewhere?x=1' }).end();
  else if (path === '/missing') response.writeHead(404, headers).end('not here\n');
  else if (path === '/failed') response.writeHead(500, headers).end('broken\n');
  else if (path === '/nothing') response.writeHead(204, headers).end();
  else if (path === '/ask')
    response.writeHead(401, { ...headers, 'www-authenticate': 'Basic realm="app"' }).end('ask\n');
  else if (path === '/slow') setTimeout(() => response.writeHead(200, headers).end('late\n'), SLOW_MS);
  else response.writeHead(200, headers).end('app\n');
}

/** RFC 6455 section 4.2.2, then whatever comes goes back. */
function acceptWebSocket(request: IncomingMessage, socket: Socket): void {
  const key = request.headers['sec-websocket-key'] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.on('error', () => undefined);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.pipe(socket);
}

function fieldsOf(request: IncomingMessage): Field[] {
  const { rawHeaders } = request;
  return rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : []));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch {
    // Cut off: what came is what counts.
  }
  return Buffer.concat(chunks).toString('latin1');
}

function end(server: Server): Promise<void> {
  // One that speaks HTTP/2 has none: its connections end with the programs.
  (server as Partial<Server>).closeAllConnections?.();
  return new Promise((done) => {
    server.close(() => done());
  });
}
