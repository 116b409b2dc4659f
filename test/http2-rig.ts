/** A connection of node's HTTP/2 client to serveHttp2, and what became of its exchanges. */
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { after } from 'node:test';
import type { Exchange, ExchangeOutcome, HandleExchange } from '../src/wire/exchange.ts';
import { HeaderBlock } from '../src/wire/header-block.ts';
import { serveHttp2 } from '../src/wire/http2-server.ts';
import type { Http2Connection, Http2Settings } from '../src/wire/http2/settings.ts';
import { createTicker } from '../src/wire/ticker.ts';
import { FACTS } from './support/connection-facts.ts';
import { SMALL_LIMITS } from './support/http2-settings.ts';

export interface Rig {
  readonly port: number;
  readonly seen: Exchange[];
  readonly outcomes: ExchangeOutcome[];
  readonly refused: string[];
  readonly connections: Http2Connection[];
  readonly tick: (ms: number) => void;
  readonly client: () => http2.ClientHttp2Session;
  readonly closed: () => number;
}

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

export async function open(handle: HandleExchange, settings: Partial<Http2Settings> = {}): Promise<Rig> {
  let now = 1_000;
  let closed = 0;
  const ticker = createTicker({ intervalMs: 1_000_000, leadMs: 0, now: () => now });
  const [seen, outcomes, refused, connections]: [Exchange[], ExchangeOutcome[], string[], Http2Connection[]] = [
    [],
    [],
    [],
    [],
  ];
  const all: Http2Settings = {
    ...SMALL_LIMITS,
    ticker,
    onClose: () => closed++,
    wordsFor: (status) => (status === 431 ? 'Zu groß: 쿠키\n' : ''),
    onRefused: ({ status, rule }) => `id-${refused.push(`${status} ${rule}`)}`,
    ...settings,
  };
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const connection = serveHttp2(socket, FACTS, all, (exchange) => {
      seen.push(exchange);
      exchange.onClose = (outcome) => outcomes.push(outcome);
      handle(exchange);
    });
    connections.push(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const sessions: http2.ClientHttp2Session[] = [];
  closers.push(() => {
    for (const session of sessions) session.destroy();
    for (const connection of connections) connection.destroy();
    ticker.close();
    server.close();
  });
  return {
    port,
    seen,
    outcomes,
    refused,
    connections,
    closed: () => closed,
    tick: (ms) => {
      now += ms;
      ticker.tick();
    },
    client: () => {
      const session = http2.connect(`http://127.0.0.1:${port}`, { settings: { enablePush: false } });
      session.on('error', () => undefined);
      sessions.push(session);
      return session;
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly raw: readonly string[];
  readonly body: string;
  readonly trailers: http2.IncomingHttpHeaders | null;
  readonly informed: http2.IncomingHttpHeaders[];
  readonly code: number;
}

export async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  let [body, status]: [string, number] = ['', 0];
  let headers: http2.IncomingHttpHeaders = {};
  let raw: readonly string[] = [];
  let trailers: http2.IncomingHttpHeaders | null = null;
  const informed: http2.IncomingHttpHeaders[] = [];
  stream.on('headers', (fields) => informed.push(fields));
  stream.on('response', (fields, _flags, rawFields) => {
    headers = fields;
    status = Number(fields[':status']);
    raw = rawFields;
  });
  stream.on('trailers', (fields) => (trailers = fields));
  stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('close', resolve));
  return { status, headers, raw, body, trailers, informed, code: stream.rstCode };
}

export const ok = (exchange: Exchange, body = 'ok'): void =>
  exchange.respondWhole({ status: 200, headers: HeaderBlock.from({ 'content-type': 'text/plain' }) }, body);

export async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

/** Collects a body and calls `done` at its end. */
export function collect(exchange: Exchange, done: (text: string, trailers: HeaderBlock | null) => void): void {
  let text = '';
  exchange.body.start({
    write: (chunk) => {
      text += chunk.toString();
      return true;
    },
    flush: () => undefined,
    end: (trailers) => done(text, trailers),
    abort: (error) => done(`aborted ${error.code}`, null),
  });
}
