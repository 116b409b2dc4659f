/**
 * Looks at the first bytes of an accepted connection before anybody answers them: the PROXY header
 * (mandatory from listed peers, refused from all others), then on TLS listeners the ClientHello, on
 * plain ones the HTTP/2 preface. Then everything but the PROXY header is un-shifted, so that whoever
 * takes the socket reads it as if nobody had looked. Knows no timeouts: see peek-queue.ts.
 */
import { type ClientHello, ClientHelloReader } from '../wire/client-hello.ts';
import { looksLikeProxyHeader, parseProxyHeader, type ProxyHeader } from '../wire/proxy-protocol.ts';
import type { Socket } from 'node:net';

const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export interface PeekOptions {
  /** True on TLS listeners. */
  readonly tls: boolean;
  /** True where the peer is listed: the header must come. False: it must not. */
  readonly expectsProxy: boolean;
}

export type PeekRefusal =
  | 'proxy-missing'
  | 'proxy-malformed'
  | 'proxy-not-listed'
  | 'hello-malformed'
  | 'plain-on-tls'
  | 'closed-early';

export type PeekResult =
  | { readonly kind: 'tls'; readonly hello: ClientHello; readonly proxy: ProxyHeader | null }
  | { readonly kind: 'plain'; readonly protocol: 'http/1.1' | 'h2'; readonly proxy: ProxyHeader | null }
  | { readonly kind: 'refused'; readonly reason: PeekRefusal; readonly detail: string };

/** Calls `done` exactly once, in the read event of the byte that decided. The socket is paused then. */
export function peekFirstBytes(socket: Socket, options: PeekOptions, done: (result: PeekResult) => void): void {
  const peek = new FirstBytes(options);
  const finish = (result: PeekResult): void => {
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', onEnd);
    if (result.kind !== 'refused') {
      socket.pause();
      const rest = peek.rest();
      if (rest.length > 0) socket.unshift(rest);
    }
    done(result);
  };
  const onData = (chunk: Buffer): void => {
    const result = peek.push(chunk);
    if (result !== null) finish(result);
  };
  const onEnd = (): void =>
    finish({ kind: 'refused', reason: 'closed-early', detail: 'The peer closed before it said anything' });
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onEnd);
}

const refused = (reason: PeekRefusal, detail: string): PeekResult => ({ kind: 'refused', reason, detail });

class FirstBytes {
  readonly #options: PeekOptions;
  #chunks: Buffer[] = [];
  #proxy: ProxyHeader | null = null;
  #isProxySettled = false;
  #hello: ClientHelloReader | null = null;

  constructor(options: PeekOptions) {
    this.#options = options;
  }

  /** What the next protocol is to read. */
  rest(): Buffer {
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
  }

  push(chunk: Buffer): PeekResult | null {
    this.#chunks.push(chunk);
    if (this.#hello !== null) return this.#judgeHello(this.#hello, chunk);
    const bytes = this.rest();
    // One buffer while there are few: PROXY headers and prefaces are read from their start.
    this.#chunks = [bytes];
    return this.#isProxySettled ? this.#judgeProtocol(bytes) : this.#judgeProxy(bytes);
  }

  #judgeProxy(bytes: Buffer): PeekResult | null {
    if (!this.#options.expectsProxy) return this.#judgeUnlisted(bytes);
    const answer = parseProxyHeader(bytes);
    if (answer.kind === 'need-more') return null;
    if (answer.kind === 'absent') return refused('proxy-missing', 'A listed peer sent no PROXY header');
    if (answer.kind === 'malformed') return refused('proxy-malformed', answer.reason);
    this.#proxy = answer;
    return this.#settleProxy(bytes.subarray(answer.length));
  }

  #judgeUnlisted(bytes: Buffer): PeekResult | null {
    const looks = looksLikeProxyHeader(bytes);
    if (looks === 'need-more') return null;
    if (looks)
      return refused('proxy-not-listed', 'A peer that listen.proxy_protocol does not list sent a PROXY header');
    return this.#settleProxy(bytes);
  }

  #settleProxy(rest: Buffer): PeekResult | null {
    this.#isProxySettled = true;
    this.#chunks = [rest];
    return rest.length === 0 ? null : this.#judgeProtocol(rest);
  }

  #judgeProtocol(bytes: Buffer): PeekResult | null {
    if (this.#options.tls) {
      this.#hello = new ClientHelloReader();
      return this.#judgeHello(this.#hello, bytes);
    }
    const length = Math.min(bytes.length, HTTP2_PREFACE.length);
    const isPreface = bytes.compare(HTTP2_PREFACE, 0, length, 0, length) === 0;
    if (isPreface && length < HTTP2_PREFACE.length) return null;
    return { kind: 'plain', protocol: isPreface ? 'h2' : 'http/1.1', proxy: this.#proxy };
  }

  #judgeHello(reader: ClientHelloReader, bytes: Buffer): PeekResult | null {
    const answer = reader.push(bytes);
    if (answer.kind === 'need-more') return null;
    if (answer.kind === 'hello') return { kind: 'tls', hello: answer, proxy: this.#proxy };
    if (answer.kind === 'malformed') return refused('hello-malformed', answer.reason);
    return refused('plain-on-tls', 'Bytes that are not TLS came to a TLS port');
  }
}
