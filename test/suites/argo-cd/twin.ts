/**
 * A stand-in for Argo CD's server, which no registry installs here: its own sign-in by OpenID Connect with its cookie, its
 * tokens (the field `token` of its command line, Authorization of others), gRPC-Web with the trailers inside the body, an
 * event stream, and the terminal over WebSocket.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

export const OWN_TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhcmdvY2QiLCJzdWIiOiJjaTphcGlLZXkifQ.c2lnbmF0dXJl';

export interface ArgoTwin {
  readonly port: number;
  readonly close: () => Promise<void>;
}

export async function startArgoTwin(rootUrl: () => string): Promise<ArgoTwin> {
  const server = createServer((req, res) => answer(req, res, rootUrl()));
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => {
    if (userOf(req) === null) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(req, socket, head, (terminal) => {
      terminal.on('message', (data) => terminal.send(data as Buffer));
    });
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** In its own order: the field of its command line, which counts alone where it is there, then Authorization, then its cookie. */
function userOf(req: IncomingMessage): string | null {
  const { token } = req.headers;
  if (token !== undefined) return token === OWN_TOKEN ? 'ci' : null;
  if (req.headers.authorization === `Bearer ${OWN_TOKEN}`) return 'ci';
  return req.headers.cookie?.split('; ').includes('argocd.token=of-argo') === true ? 'ada' : null;
}

function answer(req: IncomingMessage, res: ServerResponse, rootUrl: string): void {
  const { pathname } = new URL(req.url ?? '/', 'http://argo');
  const user = userOf(req);
  if (pathname === '/auth/login') {
    const back = encodeURIComponent(`${rootUrl}/auth/callback`);
    res.writeHead(303, { location: `${rootUrl}/api/dex/auth?client_id=argo-cd&redirect_uri=${back}` }).end();
  } else if (pathname === '/api/dex/auth') {
    res.writeHead(303, { location: `${rootUrl}/auth/callback?code=c&state=a%2Fb` }).end();
  } else if (pathname === '/auth/callback') {
    res.writeHead(303, { location: '/applications', 'set-cookie': 'argocd.token=of-argo; Path=/; HttpOnly' }).end();
  } else if (pathname === '/api/v1/session/userinfo') {
    const body = { loggedIn: user !== null, username: user ?? '', host: req.headers.host };
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  } else if (pathname === '/api/v1/stream/applications') {
    streamTo(res, user);
  } else if (pathname === '/application.ApplicationService/List') {
    answerGrpcWeb(req, res, user);
  } else {
    res.writeHead(200, { 'content-type': 'text/html' }).end('<title>Argo CD</title>');
  }
}

function streamTo(res: ServerResponse, user: string | null): void {
  if (user === null) {
    res.writeHead(401).end();
    return;
  }
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  let count = 0;
  const timer = setInterval(() => res.write(`data: {"result":{"type":"MODIFIED","n":${count++}}}\n\n`), 50);
  res.on('close', () => clearInterval(timer));
}

/** A message of gRPC-Web, and its trailers as a frame of their own whose first bit is set. */
export function frame(flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

function answerGrpcWeb(req: IncomingMessage, res: ServerResponse, user: string | null): void {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    res.writeHead(200, { 'content-type': 'application/grpc-web+proto' });
    if (user !== null) res.write(frame(0, Buffer.concat(chunks).subarray(5)));
    res.end(frame(0x80, Buffer.from(`grpc-status: ${user === null ? 16 : 0}\r\n`)));
  });
}
