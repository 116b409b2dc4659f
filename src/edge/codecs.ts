/** Hands an accepted connection to its codec, with the limits of the running document. */
import { serveHttp1 } from '../wire/http1-server.ts';
import { serveHttp2 } from '../wire/http2-server.ts';
import type { Http1Settings } from '../wire/http1-settings.ts';
import type { Ticker } from '../wire/ticker.ts';
import { wordsInAllLanguages } from '../sign-in/texts/texts.ts';
import type { ServeConnection } from './connection.ts';
import type { Serve } from './serve.ts';
import type { Site } from './site.ts';

export interface CodecsOptions {
  readonly site: () => Site;
  readonly serve: Serve;
  readonly ticker: Ticker;
  /** Told of requests that broke HTTP: the short name of the rule. */
  readonly onRefused: NonNullable<Http1Settings['onRefused']>;
  /** Told of an exception that nobody caught: the connection ends, the worker goes on. */
  readonly onDefect: (error: unknown) => void;
}

export function createCodecs(options: CodecsOptions): ServeConnection {
  let made: { readonly site: Site; readonly http1: Http1Settings } | null = null;
  const http1Settings = (): Http1Settings => {
    const site = options.site();
    if (made?.site !== site) made = { site, http1: settingsOf(site, options) };
    return made.http1;
  };
  // oxlint-disable-next-line max-params -- as ServeConnection
  return (socket, facts, protocol, listener) => {
    const handle = (exchange: Parameters<Serve>[0]): void => options.serve(exchange, listener);
    if (protocol === 'http/1.1') return serveHttp1(socket, facts, http1Settings(), handle);
    const { http2Streams } = options.site().document.limits;
    return serveHttp2(socket, facts, { ...http1Settings(), http2Streams }, handle);
  };
}

/** An address that is too long, more cookies than fit: the head was not read, so nobody knows the visitor's language. */
const OF_BROWSERS: ReadonlySet<number> = new Set([414, 431]);

/** Nor where the path cannot be read: links have a "%" that stands for nothing, and browsers send it as it is. */
function wordsFor(status: number, rule: string): string {
  const isOfBrowser = OF_BROWSERS.has(status) || (status === 400 && rule.startsWith('path-'));
  return isOfBrowser ? wordsInAllLanguages(String(status)) : '';
}

function settingsOf({ document }: Site, options: CodecsOptions): Http1Settings {
  const { limits } = document;
  return {
    headerBytes: limits.headerBytes,
    headerCount: limits.headerCount,
    targetBytes: limits.targetBytes,
    headTimeoutMs: limits.headTimeoutMs,
    keepAliveMs: limits.keepAliveMs,
    writeIdleMs: 60_000,
    bodyIdleMs: 30_000,
    minBodyRate: 500,
    maxBodyBytes: -1,
    ticker: options.ticker,
    onRefused: options.onRefused,
    onDefect: options.onDefect,
    wordsFor,
  };
}
