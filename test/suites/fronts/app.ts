/** The app behind a front proxy: records what reaches it, and speaks everything that apps speak. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

export interface Seen {
  readonly method: string;
  /** The request-target, byte for byte. */
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export interface App {
  readonly port: number;
  readonly seen: Seen[];
  /** Lets every open event stream send its second event and end. */
  readonly endStreams: () => void;
  readonly close: () => void;
}

/** Opens a WebSocket to the app itself and shows its answer. */
const TERMINAL = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Terminal</title><style>body{font:16px/1.6 monospace;background:#10141a;color:#cfe3d0;padding:2rem}</style>
<h1>Terminal</h1><p>Signed in as <b>USER</b></p><pre id="out">connecting…</pre>
<script>
const socket = new WebSocket('wss://' + location.host + '/socket');
const out = document.getElementById('out');
socket.onopen = () => socket.send('whoami');
socket.onmessage = ({ data }) => { out.textContent = '$ whoami\\n' + data; document.title = 'Terminal: connected'; };
socket.onclose = () => { document.title = 'Terminal: closed'; };
</script></html>`;

export async function startApp(): Promise<App> {
  const seen: Seen[] = [];
  const streams = new Set<ServerResponse>();
  const note = (req: IncomingMessage): void => {
    const raw = req.rawHeaders;
    const fields = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as const] : []));
    seen.push({ method: req.method ?? '', target: req.url ?? '', fields });
  };
  const server = createServer((req, res) => {
    note(req);
    const path = (req.url ?? '').split('?')[0];
    if (path === '/upload') void digest(req, res);
    else if (path === '/events') openStream(res, streams);
    else if (path === '/terminal') {
      res.setHeader('content-type', 'text/html; charset=utf-8');
      res.end(TERMINAL.replace('USER', String(req.headers['x-auth-request-preferred-username'])));
    } else {
      req.resume();
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ app: true, target: req.url, host: req.headers.host }));
    }
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) => {
    note(req);
    const user = String(req.headers['x-auth-request-preferred-username']);
    sockets.handleUpgrade(req, socket, head, (open) => {
      open.on('message', (data: Buffer) => open.send(`${user}: ${data.toString()}`));
    });
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    endStreams() {
      for (const stream of streams) stream.end('data: second\n\n');
      streams.clear();
    },
    close() {
      for (const open of sockets.clients) open.terminate();
      server.closeAllConnections();
      server.close();
    },
  };
}

async function digest(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    hash.update(chunk);
    length += chunk.length;
  }
  res.end(JSON.stringify({ length, sha256: hash.digest('hex') }));
}

function openStream(res: ServerResponse, streams: Set<ServerResponse>): void {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  res.write('data: first\n\n');
  streams.add(res);
}
