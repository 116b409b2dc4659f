/**
 * The application behind both programs, one instance for each: it keeps what it is asked, byte for byte as
 * far as Node hands it over, and answers by path in the ways that proxies get wrong.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
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

export async function startUpstream(socketPath: string | null = null): Promise<Upstream> {
  let received: Received[] = [];
  const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
    void (async () => {
      const body = await bodyOf(request);
      received.push({ line: `${request.method} ${request.url}`, fields: fieldsOf(request), body });
      answer(request, response);
    })();
  });
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

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = new URL(request.url ?? '/', 'http://app').pathname;
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
  server.closeAllConnections();
  return new Promise((done) => {
    server.close(() => done());
  });
}
