/**
 * A server on loopback whose handler records what it is handed, and a client that speaks bytes.
 * Other tests of this room import it; the test below keeps it honest.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { FACTS } from '../../test/support/connection-facts.ts';
import { createTimeLimit } from '../../test/support/time-limit.ts';
import type { PosternError } from '../core/errors.ts';
import type { BodySink, ExchangeOutcome } from './exchange.ts';
import { HeaderBlock } from './header-block.ts';
import type { Http1Exchange } from './http1-exchange.ts';
import { serveHttp1 } from './http1-server.ts';
import { HTTP1_DEFAULTS, type Http1Connection, type Http1Settings } from './http1-settings.ts';
import { createTicker, type IntervalTicker } from './ticker.ts';

/** One request as the handler saw it. */
export interface Seen {
  readonly exchange: Http1Exchange;
  body: string;
  end: 'open' | 'ended' | 'aborted';
  error: PosternError | null;
  trailers: HeaderBlock | null;
  outcome: ExchangeOutcome | null;
}

export interface Rig {
  readonly port: number;
  readonly seen: Seen[];
  readonly connections: Http1Connection[];
  readonly sockets: Socket[];
  readonly refused: string[];
  readonly ticker: IntervalTicker;
  /** Moves the ticker's clock and lets it tick. */
  advance(ms: number): void;
}

export type Answer = (seen: Seen) => void;

/** Reads the body, then echoes what it got. */
export function echo(seen: Seen): void {
  readBody(seen, () => {
    const { method, path, query } = seen.exchange.request;
    seen.exchange.respondWhole({ status: 200, headers: new HeaderBlock() }, `${method} ${path}${query} ${seen.body}`);
  });
}

export function readBody(seen: Seen, onEnd: () => void): void {
  const sink: BodySink = {
    write(chunk) {
      seen.body += chunk.toString('latin1');
      return true;
    },
    flush: () => undefined,
    end(trailers) {
      assert.equal(seen.end, 'open');
      seen.end = 'ended';
      seen.trailers = trailers;
      onEnd();
    },
    abort(error) {
      assert.equal(seen.end, 'open');
      seen.end = 'aborted';
      seen.error = error;
    },
  };
  seen.exchange.body.start(sink);
}

export async function openRig(
  t: TestContext,
  answer: Answer = echo,
  changes: Partial<Http1Settings> = {},
): Promise<Rig> {
  let skew = 0;
  const ticker = createTicker({ intervalMs: 20, now: () => performance.now() + skew });
  const seen: Seen[] = [];
  const connections: Http1Connection[] = [];
  const sockets: Socket[] = [];
  const refused: string[] = [];
  const settings: Http1Settings = {
    ...HTTP1_DEFAULTS,
    ticker,
    onRefused: (refusal) => `id-${refused.push(`${refusal.status} ${refusal.rule}`)}`,
    ...changes,
  };
  const server = createServer((socket) => {
    sockets.push(socket);
    const connection = serveHttp1(socket, FACTS, settings, (exchange) => {
      const one: Seen = {
        exchange: exchange as Http1Exchange,
        body: '',
        end: 'open',
        error: null,
        trailers: null,
        outcome: null,
      };
      exchange.onClose = (outcome) => {
        assert.equal(one.outcome, null);
        one.outcome = outcome;
      };
      seen.push(one);
      answer(one);
    });
    connections.push(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    ticker.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    connections,
    sockets,
    refused,
    ticker,
    advance(ms) {
      skew += ms;
      ticker.tick();
    },
  };
}

export interface Client {
  readonly socket: Socket;
  /** What came so far. */
  text: string;
  /** Resolves once the text holds the needle, rejects where the connection ends before. */
  until(needle: string): Promise<string>;
  /** Resolves with all that came when the server has closed. */
  closed(): Promise<string>;
}

export async function connectTo(t: TestContext, port: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => socket.destroy());
  let wake: (() => void)[] = [];
  const state = { isOver: false };
  const wakeAll = (): void => {
    const waiting = wake;
    wake = [];
    for (const one of waiting) one();
  };
  const change = async (): Promise<void> => new Promise((resolve) => wake.push(resolve));
  const client: Client = {
    socket,
    text: '',
    async until(needle) {
      while (!client.text.includes(needle)) {
        if (state.isOver) throw new Error(`Connection ended before "${needle}": "${client.text}"`);
        await change();
      }
      return client.text;
    },
    async closed() {
      while (!state.isOver) await change();
      return client.text;
    },
  };
  socket.on('data', (chunk: Buffer) => {
    client.text += chunk.toString('latin1');
    wakeAll();
  });
  for (const event of ['end', 'close', 'error']) {
    socket.on(event, () => {
      state.isOver = true;
      wakeAll();
    });
  }
  await once(socket, 'connect');
  return client;
}

/** Sends bytes, half closes, and answers all that came back. */
export async function exchangeBytes(t: TestContext, port: number, bytes: string | Buffer): Promise<string> {
  const client = await connectTo(t, port);
  client.socket.end(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  const text = await client.closed();
  client.socket.destroy();
  return text;
}

export function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
}

/** Waits until the check holds. The limit is for what never comes, so that a failing test ends. */
export async function eventually(check: () => boolean): Promise<void> {
  const isOver = createTimeLimit(30_000);
  while (!check()) {
    assert.ok(!isOver(), `Waited in vain for ${String(check)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('openRig() answers and records', async (t) => {
  const rig = await openRig(t);
  const text = await exchangeBytes(t, rig.port, 'POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi');
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)+\r\nPOST \/a\?b hi$/);
  assert.equal(rig.seen[0]?.end, 'ended');
  assert.equal(rig.seen[0]?.outcome?.complete, true);
});

export const NOTHING = (): void => undefined;
/** Of an answer. */
export const head = (
  status = 200,
  fields: Record<string, string | string[]> = {},
): { status: number; headers: HeaderBlock } => ({
  status,
  headers: HeaderBlock.from(fields),
});
export const get = (path = '/', ...lines: string[]): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines.map((l) => `${l}\r\n`).join('')}\r\n`;
