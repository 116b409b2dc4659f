/**
 * Serving on real sockets, without listeners of the house: a keeper in memory, a provider and a flow that a
 * test writes, an app that echoes. Requests are sent as bytes, so that nothing tidies them up on the way.
 */
import { createServer, connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { createUpstreams } from '../../upstream/forward.ts';
import { HeaderBlock } from '../../wire/header-block.ts';
import { serveHttp1 } from '../../wire/http1-server.ts';
import { HTTP1_DEFAULTS } from '../../wire/http1-settings.ts';
import { Endless } from '../../wire/endless.ts';
import { IntervalTicker, type Ticker } from '../../wire/ticker.ts';
import { NO_SESSION, type AuthSession } from '../auth-session.ts';
import { openKeeper } from '../keepers/open-keeper.ts';
import { settingsWith, type DeepPartial } from '../settings-fixture.ts';
import { createAdmission } from './admission.ts';
import { createEmailRules } from './email-rules.ts';
import { createForwardAuth, type ForwardAuth } from './forward-auth.ts';
import { silentLogger } from '../../core/log.ts';
import type { ConnectionFacts } from '../../wire/exchange.ts';
import type { FrontRequest } from '../front-request.ts';
import type { AuthProvider, Flow, SessionKeeper } from '../ports.ts';
import type { Settings } from '../settings.ts';
import type { Htpasswd } from './htpasswd.ts';

export const ALICE: AuthSession = {
  ...NO_SESSION,
  createdAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  user: 'sub-alice',
  email: 'alice@example.com',
  groups: ['/developers', 'ops'],
  preferredUsername: 'alice',
  accessToken: 'access-of-alice',
  idToken: 'id-of-alice',
  refreshToken: 'refresh-of-alice',
};

export interface Answer {
  readonly status: number;
  /** Lower-case name -> values in order. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  /** Each as it stands on the wire. */
  readonly headers?: readonly string[];
  readonly body?: string;
}

export interface RigOptions {
  readonly settings?: DeepPartial<Settings>;
  readonly provider?: Partial<AuthProvider>;
  readonly flow?: Partial<Flow>;
  readonly keeper?: (keeper: SessionKeeper) => SessionKeeper;
  readonly htpasswd?: Htpasswd;
  /** Who the peer seems to be. */
  readonly peer?: string | null;
  readonly isLocalSocket?: boolean;
}

export interface ServingRig {
  readonly front: ForwardAuth;
  readonly keeper: SessionKeeper;
  readonly settings: Settings;
  readonly port: number;
  /** Answers the Cookie line of a session. */
  readonly signIn: (session?: AuthSession) => Promise<string>;
  readonly ask: (target: string, ask?: Ask) => Promise<Answer>;
  readonly now: () => number;
  readonly advance: (ms: number) => void;
  /** What the flow was asked, in order. */
  readonly flowCalls: string[];
  readonly defects: unknown[];
}

export const START: number = ALICE.createdAt;

export async function startServing(t: TestContext, options: RigOptions = {}): Promise<ServingRig> {
  let now = START;
  const clock = { now: (): number => now };
  const settings = settingsWith(options.settings ?? {});
  const opened = await openKeeper(settings, { clock, log: silentLogger, dataDir: null });
  const keeper = options.keeper?.(opened) ?? opened;
  const flowCalls: string[] = [];
  const defects: unknown[] = [];
  const ticker = new IntervalTicker();
  const upstreams = createUpstreams({ clock, ticker, log: { info: () => {}, warn: () => {} } });
  const provider = { ...QUIET_PROVIDER, ...options.provider };
  const htpasswd = options.htpasswd ?? null;
  const emails = createEmailRules(settings.admission, () => {});
  let ids = 0;
  const front = createForwardAuth({
    settings,
    keeper,
    provider,
    htpasswd,
    upstreams,
    endless: new Endless(),
    clock,
    flow: { ...tellingFlow(flowCalls), ...options.flow },
    admission: createAdmission({ emails, provider, htpasswd }),
    nextRequestId: () => `request-${++ids}`,
    isEnding: () => false,
    events: {
      onBegin: () => {},
      onEnd: () => {},
      onDefect: (_request, error) => void defects.push(error),
      onRefresh: (outcome, message) => void flowCalls.push(`${outcome}: ${message}`),
      onUnknownMethod: () => void flowCalls.push('unknown method'),
      onBearerRefused: (_request, message) => void flowCalls.push(`bearer refused: ${message}`),
    },
  });
  const port = await listen(t, front, ticker, options);
  t.after(async () => {
    ticker.close();
    emails.close();
    await upstreams.close();
    await keeper.close();
  });
  return {
    front,
    keeper,
    settings,
    port,
    flowCalls,
    defects,
    now: clock.now,
    advance: (ms) => void (now += ms),
    async signIn(session = ALICE) {
      const place = { host: 'app.example.com' };
      const lines = await keeper.open({ ...session, createdAt: now }, place, new HeaderBlock());
      return `Cookie: ${lines.map((line) => line.split(';', 1)[0]).join('; ')}`;
    },
    ask: (target, ask) => send(port, target, ask),
  };
}

// oxlint-disable-next-line max-params -- the parts of one listener
async function listen(t: TestContext, front: ForwardAuth, ticker: Ticker, options: RigOptions): Promise<number> {
  const { peer = '127.0.0.1', isLocalSocket = false } = options;
  const settings = { ...HTTP1_DEFAULTS, headerBytes: 262_144, ticker };
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    const facts = { ...FACTS, peerAddress: peer };
    serveHttp1(socket, facts, settings, (exchange) => front.serve(exchange, isLocalSocket));
    socket.resume();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

const FACTS: ConnectionFacts = {
  peerAddress: '127.0.0.1',
  peerPort: 1234,
  viaProxyProtocol: false,
  localPort: 4180,
  scheme: 'http',
  serverName: null,
  tlsVersion: null,
  clientCertificate: null,
  clientAuth: null,
};

const UNAVAILABLE = { kind: 'unavailable', message: 'not in this test' } as const;

/** Lets everybody in, and is never asked anything else. */
export const QUIET_PROVIDER: AuthProvider = {
  displayName: 'Provider',
  isReady: () => true,
  codeChallengeMethod: () => null,
  usesNonce: false,
  loginUrl: () => Promise.resolve(UNAVAILABLE),
  redeem: () => Promise.resolve(UNAVAILABLE),
  refresh: () => Promise.resolve(UNAVAILABLE),
  validate: () => Promise.resolve({ kind: 'ok', value: true }),
  authorizes: () => true,
  verifyBearer: () => Promise.resolve(null),
  close: () => {},
};

function tellingFlow(calls: string[]): Flow {
  const answer =
    (name: string, status: number) =>
    ({ exchange }: FrontRequest): Promise<void> => {
      calls.push(name);
      exchange.respondWhole({ status, headers: headersOf({ 'x-flow': name }) }, name);
      return Promise.resolve();
    };
  return {
    signIn: answer('sign-in', 200),
    start: answer('start', 302),
    callback: answer('callback', 302),
    backChannelLogout: answer('back-channel', 200),
    signOut: (request, session) => answer(`sign-out ${session?.user ?? '-'}`, 302)(request),
    askToSignIn: answer('ask', 403),
    sendError: (request, status) => void answer('error', status)(request),
    sendNotAdmitted: (request) => void answer('not-admitted', 403)(request),
    sendStatic: (request) => void answer('static', 200)(request),
  };
}

const headersOf = (fields: Record<string, string>): HeaderBlock => HeaderBlock.from(fields);

/** One request on a connection of its own; the answer read to its end. */
export function send(port: number, target: string, ask: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = [], body = '' } = ask;
  const hasHost = headers.some((line) => /^host:/i.test(line));
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(hasHost ? [] : ['Host: app.example.com']),
    ...headers,
    ...(body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...(headers.some((line) => /^connection:/i.test(line)) ? [] : ['Connection: close']),
  ];
  return exchangeBytes(port, Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1'));
}

export function exchangeBytes(port: number, bytes: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(parseAnswer(Buffer.concat(chunks).toString('latin1'))));
  });
}

export function parseAnswer(text: string): Answer {
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers: Record<string, string[]> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    (headers[line.slice(0, colon).toLowerCase()] ??= []).push(line.slice(colon + 1).trim());
  }
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(end + 4) };
}
