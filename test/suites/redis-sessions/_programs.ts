/** `postern forward-auth` as a process, one or several beside each other, with people signed in and WebSockets held open. */
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/programs.ts';
import { startIn } from '../oauth2-proxy/programs.ts';
import { createSide, HOST } from '../oauth2-proxy/side.ts';
import { startUpstream } from '../oauth2-proxy/upstream.ts';
import type { Jar, Side } from '../oauth2-proxy/side.ts';

export interface Door {
  readonly side: Side;
  readonly dataDir: string;
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

export interface DoorOptions {
  readonly dir: string;
  readonly issuer: string;
  /** Names without `OAUTH2_PROXY_`. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** Resolves when it is ready. Started again in the same folder it has the same data. */
export async function startDoor({ dir, issuer, settings = {}, env = {} }: DoorOptions): Promise<Door> {
  const [port = 0] = await freePorts(1);
  const upstream = await startUpstream();
  const all: Record<string, string> = {
    PROVIDER: 'oidc',
    OIDC_ISSUER_URL: issuer,
    CLIENT_ID: 'front-door',
    CLIENT_SECRET: 'secret-of-the-front-door',
    COOKIE_SECRET: '0123456789abcdef0123456789abcdef',
    COOKIE_SECURE: 'false',
    EMAIL_DOMAINS: '*',
    UPSTREAMS: `http://127.0.0.1:${upstream.port}/`,
    HTTP_ADDRESS: `127.0.0.1:${port}`,
    SCOPE: 'openid email profile',
    ...settings,
  };
  const named = Object.fromEntries(Object.entries(all).map(([name, value]) => [`OAUTH2_PROXY_${name}`, value]));
  mkdirSync(dir, { recursive: true });
  const program = await startIn('postern', dir, { env: { ...named, ...env }, port });
  if ('refused' in program) throw new Error(`Cannot start Postern:\n${program.refused}`);
  const places = { port, upstreamPort: upstream.port, issuer, dir, prefix: '/oauth2', cookie: '_oauth2_proxy' };
  const side = createSide({ places, upstream, program, tls: false, idToken: () => '' });
  await until(async () => (await side.ask('GET /ready')).status === 200, 'Postern is ready');
  return {
    side,
    dataDir: join(dir, 'data'),
    output: program.output,
    stop: () => program.stop().then(() => upstream.close()),
  };
}

export interface Held {
  /** When it was closed, of `Date.now()`; null: it is open. */
  readonly closedAt: () => number | null;
  readonly end: () => void;
}

/** A WebSocket that the session let in; the caller has to end it. */
export async function holdWebSocket({ side }: Door, jar: Jar): Promise<Held> {
  const socket = connect(side.port, '127.0.0.1');
  let closedAt: number | null = null;
  let answer = '';
  socket.on('error', () => undefined);
  socket.on('close', () => (closedAt = Date.now()));
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
  const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13';
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(`GET /live HTTP/1.1\r\nHost: ${HOST}\r\nCookie: ${cookie}\r\n${upgrade}\r\n${key}\r\n\r\n`);
  await until(() => answer.includes('\r\n\r\n') || closedAt !== null, 'the answer to the upgrade');
  // The close frame is the first that comes; whoever speaks WebSocket closes behind it.
  socket.on('data', () => socket.end());
  if (!answer.startsWith('HTTP/1.1 101 ')) throw new Error(`Cannot hold a WebSocket: ${answer.slice(0, 200)}`);
  return { closedAt: () => closedAt, end: () => socket.destroy() };
}
