/**
 * For tests: an exchange without a socket, apps that speak raw bytes, and plans with defaults.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ForwardPlan, ForwardReport } from './plan.ts';
import { createReport } from './plan.ts';
import type { ProxyAction, UpstreamServer, UpstreamTls } from '../config/document/actions.ts';
import type { RouteLimits } from '../config/document/limits.ts';
import { PosternError } from '../core/errors.ts';
import type {
  BodySink,
  BodySource,
  ConnectionFacts,
  Exchange,
  ExchangeOutcome,
  RequestHead,
  ResponseHead,
} from '../wire/exchange.ts';
import { HeaderBlock } from '../wire/header-block.ts';

export const NO_TLS: UpstreamTls = {
  verify: true,
  caFile: null,
  caPem: null,
  serverName: null,
  certificatePem: null,
  keyPem: null,
};

export const LIMITS: RouteLimits = {
  maxBodyBytes: Infinity,
  bodyIdleMs: 30_000,
  minBodyRate: 0,
  writeIdleMs: 30_000,
  connectMs: 2_000,
  firstByteMs: 5_000,
  upstreamIdleMs: 5_000,
  streamIdleMs: Infinity,
  tunnelIdleMs: Infinity,
};

export function serverAt(port: number, more: Partial<UpstreamServer> = {}): UpstreamServer {
  return { scheme: 'http', host: '127.0.0.1', port, isTemplate: false, weight: 1, at: [], ...more };
}

export function actionTo(servers: readonly UpstreamServer[], more: Partial<ProxyAction> = {}): ProxyAction {
  return {
    kind: 'proxy',
    servers,
    balance: 'round-robin',
    hostHeader: 'keep',
    tls: NO_TLS,
    health: null,
    maxFails: 1,
    failMs: 10_000,
    maxConnections: 100,
    at: [],
    ...more,
  };
}

export function planFor(action: ProxyAction, more: Partial<ForwardPlan> = {}): ForwardPlan {
  return {
    action,
    limits: LIMITS,
    path: '/',
    query: '',
    hostHeader: 'app.example.com',
    clientIp: '192.0.2.7',
    scheme: 'https',
    publicPort: 443,
    requestId: 'req-1',
    identityHeaders: [],
    strip: null,
    requestHeaders: { add: {}, remove: [] },
    responseHeaders: { add: {}, remove: [] },
    removeCookies: (value) => value,
    removeAuthorization: false,
    isOwnCookieName: (name) => name.startsWith('__Host-postern'),
    upgradeAllowed: false,
    who: null,
    fromTrustedProxy: false,
    ...more,
  };
}

const CONNECTION: ConnectionFacts = {
  peerAddress: '192.0.2.7',
  peerPort: 1234,
  viaProxyProtocol: false,
  localPort: 443,
  scheme: 'https',
  serverName: null,
  tlsVersion: null,
  clientCertificate: null,
  clientAuth: null,
};

export interface FakeRequest extends Partial<Omit<RequestHead, 'headers'>> {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

/** A body that a test feeds by hand, or one given whole. */
export class FakeBody implements BodySource {
  readonly length: number;
  sink: BodySink | null = null;
  isCancelled = false;
  resumes = 0;
  readonly #whole: Buffer | null;

  constructor(length: number, whole: Buffer | null = null) {
    this.length = length;
    this.#whole = whole;
  }

  start(sink: BodySink): void {
    if (this.sink !== null) throw new Error('The body was started twice');
    this.sink = sink;
    if (this.#whole === null) return;
    sink.write(this.#whole);
    sink.flush();
    sink.end(null);
  }

  resume(): void {
    this.resumes++;
  }

  cancel(): void {
    this.isCancelled = true;
  }
}

export class FakeExchange implements Exchange {
  hsts: string | null = null;
  readonly request: RequestHead;
  readonly connection: ConnectionFacts = CONNECTION;
  readonly body: FakeBody;
  readonly startedAt: number = performance.now();
  onClose: ((outcome: ExchangeOutcome) => void) | null = null;
  readonly informed: ResponseHead[] = [];
  response: ResponseHead | null = null;
  length: number | null = null;
  readonly chunks: Buffer[] = [];
  trailers: HeaderBlock | null = null;
  error: PosternError | null = null;
  failure: PosternError | null = null;
  /** False makes the client slow: writes are refused until `resume` is called. */
  accepts = true;
  keepsBytes = true;
  bytes = 0;
  resume: () => void = () => {};
  upgraded: ResponseHead | null = null;
  onUpgrade: (() => Duplex) | null = null;
  readonly report: ForwardReport;
  readonly done: Promise<this>;
  #finish: () => void = () => {};

  constructor(request: FakeRequest = {}, body: FakeBody = new FakeBody(0)) {
    const { headers = {}, ...head } = request;
    this.request = {
      method: 'GET',
      path: '/',
      query: '',
      host: 'app.example.com',
      port: null,
      version: '1.1',
      hasEncodedSlash: false,
      upgrade: null,
      expectsContinue: false,
      target: `${request.path ?? '/'}${request.query ?? ''}`,
      ...head,
      headers: HeaderBlock.from(headers),
    };
    this.body = body;
    this.done = new Promise((resolve) => {
      this.#finish = () => resolve(this);
    });
    this.report = createReport((error) => {
      this.failure = error;
      this.#finish();
    });
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  inform(head: ResponseHead): void {
    this.informed.push(head);
  }

  respond(head: ResponseHead, length: number, resume: () => void): BodySink {
    this.response = head;
    this.length = length;
    this.resume = resume;
    return {
      write: (chunk) => {
        this.bytes += chunk.length;
        if (this.keepsBytes) this.chunks.push(chunk);
        return this.accepts;
      },
      flush: () => {},
      end: (trailers) => {
        this.trailers = trailers;
        this.#close(true);
      },
      abort: (error) => this.abort(error),
    };
  }

  respondWhole(head: ResponseHead, body: Buffer | string): void {
    this.response = head;
    this.chunks.push(Buffer.from(body as string));
    this.#close(true);
  }

  acceptUpgrade(head: ResponseHead): Duplex {
    this.upgraded = head;
    this.#finish();
    return (this.onUpgrade as () => Duplex)();
  }

  abort(error: PosternError): void {
    this.error = error;
    this.#close(false);
  }

  /** The client went away. */
  leave(): void {
    this.abort(new PosternError('CLIENT_CLOSED', 'The client left'));
  }

  #close(complete: boolean): void {
    this.#finish();
    const { onClose } = this;
    this.onClose = null;
    onClose?.({ complete, bytesIn: 0, bytesOut: this.bytes, status: this.response?.status ?? 0 });
  }
}

export interface RawApp {
  readonly port: number;
  /** What came in on each connection, in order of connections. */
  readonly received: string[];
  readonly sockets: Socket[];
  readonly server: Server;
  readonly close: () => Promise<void>;
}

/** An app that answers bytes; `onRequest` is called at each complete request head. */
export async function rawApp(onRequest: (socket: Socket, head: string, connection: number) => void): Promise<RawApp> {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const connection = sockets.push(socket) - 1;
    received[connection] = '';
    let pending = '';
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received[connection] += chunk.toString('latin1');
      pending += chunk.toString('latin1');
      for (let end = pending.indexOf('\r\n\r\n'); end !== -1; end = pending.indexOf('\r\n\r\n')) {
        const head = pending.slice(0, end + 4);
        pending = pending.slice(end + 4);
        onRequest(socket, head, connection);
      }
    });
  });
  const port = await listen(server);
  const close = (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { port, received, sockets, server, close };
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Waits for a condition that another socket event will make true. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Not in time: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
