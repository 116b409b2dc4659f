/** Hands an accepted connection to its codec, with the limits of the running document. */
import { serveHttp1 } from '../wire/http1-server.ts';
import { serveHttp2 } from '../wire/http2-server.ts';
import type { Http1Settings } from '../wire/http1-server.ts';
import type { Ticker } from '../wire/ticker.ts';
import type { ServeConnection } from './listener.ts';
import type { ListenerTraits } from './request-context.ts';
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

export interface Codecs {
  readonly serve: ServeConnection;
  /** What a listening port does; connections know their local port. */
  readonly setListener: (port: number, traits: ListenerTraits) => void;
}

const REDIRECTING: ListenerTraits = { redirectsToHttps: true };

export function createCodecs(options: CodecsOptions): Codecs {
  const listeners = new Map<number, ListenerTraits>();
  let made: { readonly site: Site; readonly http1: Http1Settings } | null = null;
  const http1Settings = (): Http1Settings => {
    const site = options.site();
    if (made?.site !== site) made = { site, http1: settingsOf(site, options) };
    return made.http1;
  };
  return {
    setListener: (port, traits) => void listeners.set(port, traits),
    serve(socket, facts, protocol) {
      const traits = listeners.get(facts.localPort) ?? REDIRECTING;
      const handle = (exchange: Parameters<Serve>[0]): void => options.serve(exchange, traits);
      if (protocol === 'h2')
        return serveHttp2(
          socket,
          facts,
          { ...http1Settings(), http2Streams: options.site().document.limits.http2Streams },
          handle,
        );
      return serveHttp1(socket, facts, http1Settings(), handle);
    },
  };
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
  };
}
