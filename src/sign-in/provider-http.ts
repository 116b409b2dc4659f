/**
 * Requests of Postern itself to a provider, in the shape of fetch. Bounded in time and size, never
 * redirected, no proxy of the environment. With `internalUrl` whatever is meant for the issuer's origin
 * goes there instead, and looks as if Postern had forwarded it.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type AgentOptions } from 'node:https';
import { getCACertificates } from 'node:tls';
import { Outage } from './oauth/failures.ts';
import { ProviderAnswer } from './provider-answer.ts';

const TIMEOUT_MS = 10_000;
/** Under way at once. Others wait: a thousand who sign in together are not answered in one second, and the clock of a request starts when it is sent. */
const MOST_AT_ONCE = 32;
const LONGEST_WAIT_MS = 30_000;
const SPARE_SOCKETS = 4;
/**
 * For a refresh token, which many providers take once: one that stands still for a while may have taken it when it
 * goes on, and whoever has stopped listening by then has lost the next one, and the session with it.
 */
const PATIENCE_MS = 60_000;
const MAX_BYTES = 1_000_000;
const REFRESHES = /(?:^|&)grant_type=refresh_token(?:&|$)/;

export interface ProviderHttpOptions {
  /** Origin that `internalUrl` stands for. */
  readonly publicOrigin: string;
  readonly internalUrl: string | null;
  readonly caPem: string | null;
  /** False: only the authorities of `caPem` count. */
  readonly trustsSystem?: boolean;
  /** Takes any certificate: for tests of an operator, never by default. */
  readonly skipsTlsVerify?: boolean;
  readonly timeoutMs?: number;
  readonly longestWaitMs?: number;
  /** Waits longer for the answer to a refresh token; nobody waits for this one meanwhile. */
  readonly isPatient?: boolean;
  /** Between the answer to a refresh token and what is made of it: others have the core meanwhile. */
  readonly breathe?: (() => Promise<unknown>) | undefined;
  /** Resolves when it is an answer's turn to be dealt with: those that came together are not dealt with together. */
  readonly turn?: (() => Promise<void>) | undefined;
}

export interface FetchInit {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | Headers | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface ProviderHttp {
  readonly fetch: (url: string, init?: FetchInit) => Promise<ProviderAnswer>;
  /** Overtakes whoever waits: for what is asked once for all of them. */
  readonly fetchFirst: (url: string, init?: FetchInit) => Promise<ProviderAnswer>;
  readonly close: () => void;
}

export function createProviderHttp(options: ProviderHttpOptions): ProviderHttp {
  const limits = { keepAlive: true, maxSockets: MOST_AT_ONCE + SPARE_SOCKETS, maxFreeSockets: 4, timeout: 30_000 };
  const http = new HttpAgent(limits);
  const https = new HttpsAgent({ ...limits, ...trustOf(options) });
  const seats = createSeats(MOST_AT_ONCE, options.longestWaitMs ?? LONGEST_WAIT_MS);
  let underWay = 0;
  let isClosed = false;
  const destroyWhenFree = (): void => {
    if (!isClosed || underWay > 0) return;
    http.destroy();
    https.destroy();
  };
  // Codes and refresh tokens are taken once: a provider that has one tells its answer to nobody else.
  const ask = async (url: string, init: FetchInit): Promise<ProviderAnswer> => {
    underWay++;
    try {
      return await send(options, { http, https }, url, init);
    } finally {
      underWay--;
      destroyWhenFree();
    }
  };
  return {
    fetchFirst: (url, init = {}) => ask(url, init),
    async fetch(url, init = {}) {
      await seats.take();
      try {
        return await ask(url, init);
      } finally {
        seats.leave();
        await (isRefresh(options, init) ? (options.breathe ?? options.turn) : options.turn)?.();
      }
    },
    close() {
      isClosed = true;
      destroyWhenFree();
    },
  };
}

interface Seats {
  /** Rejects with a TimeoutError where there is none in time. */
  readonly take: () => Promise<void>;
  readonly leave: () => void;
}

function createSeats(count: number, longestWaitMs: number): Seats {
  const waiting = new Set<() => void>();
  let free = count;
  return {
    async take() {
      if (free > 0) {
        free--;
        return;
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      waiting.add(resolve);
      const timer = setTimeout(() => {
        if (!waiting.delete(resolve)) return;
        reject(new DOMException('The provider has too much to do already', 'TimeoutError'));
      }, longestWaitMs).unref();
      await promise.finally(() => clearTimeout(timer));
    },
    leave() {
      const [next] = waiting;
      if (next === undefined) free++;
      else {
        waiting.delete(next);
        next();
      }
    },
  };
}

function trustOf({ caPem, trustsSystem, skipsTlsVerify }: ProviderHttpOptions): AgentOptions {
  // The system's authorities stay unless told otherwise: a provider behind an own CA may call one outside.
  const system = trustsSystem === false ? [] : getCACertificates('default');
  return {
    ...(caPem === null ? {} : { ca: [...system, caPem] }),
    ...(skipsTlsVerify === true ? { rejectUnauthorized: false } : {}),
  };
}

async function send(
  options: ProviderHttpOptions,
  agents: { readonly http: HttpAgent; readonly https: HttpsAgent },
  address: string,
  init: FetchInit,
): Promise<ProviderAnswer> {
  const url = new URL(address);
  const { internalUrl, publicOrigin } = options;
  const headers: Record<string, string> = Object.fromEntries(new Headers(init.headers as HeadersInit).entries());
  let target = url;
  if (internalUrl !== null && url.origin === publicOrigin) {
    target = new URL(url.pathname + url.search, internalUrl);
    headers['host'] = url.host;
    headers['x-forwarded-proto'] = url.protocol.slice(0, -1);
    headers['x-forwarded-host'] = url.host;
    headers['x-forwarded-port'] = url.port || (url.protocol === 'https:' ? '443' : '80');
  }
  const text = init.body === undefined || init.body === null ? null : bodyText(init.body);
  const body = text === null ? null : Buffer.from(text);
  const { timeoutMs = TIMEOUT_MS } = options;
  if (body !== null) headers['content-length'] = String(body.length);
  const timeout = AbortSignal.timeout(isRefresh(options, init) ? PATIENCE_MS : timeoutMs);
  const isSecure = target.protocol === 'https:';
  const settings: RequestOptions = {
    method: init.method ?? 'GET',
    headers,
    agent: isSecure ? agents.https : agents.http,
    signal: init.signal === undefined ? timeout : AbortSignal.any([timeout, init.signal]),
  };
  const { promise, resolve, reject } = Promise.withResolvers<ProviderAnswer>();
  const request = (isSecure ? httpsRequest : httpRequest)(target, settings, (response) => {
    collect(response).then(resolve, reject);
  });
  request.on('error', reject);
  request.end(body ?? undefined);
  return promise;
}

/** Of whoever is signed in already. */
function isRefresh({ isPatient = false }: ProviderHttpOptions, { body }: FetchInit): boolean {
  return isPatient && body !== undefined && body !== null && REFRESHES.test(bodyText(body));
}

/** openid-client sends forms, and nothing else with a body. */
function bodyText(body: unknown): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('Cannot send to provider: the body is no form');
}

async function collect(response: IncomingMessage): Promise<ProviderAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BYTES) {
      response.destroy();
      throw new Outage(`the provider's answer is larger than ${MAX_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  const status = response.statusCode ?? 502;
  const headers = new Headers();
  for (const [name, value] of Object.entries(response.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, one);
  }
  return new ProviderAnswer(Buffer.concat(chunks), status, headers);
}
