/**
 * One request on a stream of an HTTP/2 connection to an app (RFC 9113), with the same contract as an
 * HTTP/1.1 connection: framing is ours, trailers pass, a client that leaves resets the stream, and a
 * stream that the app never looked at may be sent again.
 */
import { constants } from 'node:http2';
import type { ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { wasCut } from './http2-ending.ts';
import type { Http2Session } from './http2-pool.ts';
import { PosternError } from '../core/errors.ts';
import type { BodySink } from '../wire/exchange.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import { isHopByHop } from '../wire/hop-by-hop.ts';
import { type AppCall, type AppConnection, MAX_INFORMS, type Repeat } from '../wire/app-call.ts';
import { AppResponseHead } from '../wire/response-head.ts';
import { keepAllowedTrailers } from '../wire/trailers.ts';

const END_STREAM = 1;
/** As over HTTP/1.1: nobody knows what those above mean. */
const MAX_STATUS = 599;

export class Http2Client implements AppConnection, BodySink {
  readonly isReused: boolean;
  readonly tellsUnseen = true;
  deadline: number = Infinity;
  readonly #session: Http2Session;
  #call: AppCall | null = null;
  #stream: ClientHttp2Stream | null = null;
  #sink: BodySink | null = null;
  #trailers: HeaderBlock | null = null;
  #requestTrailers: HeaderBlock | null = null;
  #left = 0;
  #informs = 0;
  #isBodyOpen = false;
  #isBlocked = false;
  /** Something of the body was sent since this was last set to false. */
  #hasMoved = false;
  #isOver = false;

  constructor(session: Http2Session, isReused: boolean) {
    this.#session = session;
    this.isReused = isReused;
  }

  /** Its answer has begun, and is not over. */
  get hasHead(): boolean {
    return this.#sink !== null && !this.#isOver;
  }

  send(call: AppCall): void {
    this.#call = call;
    const length = call.bodyLength;
    this.#left = length;
    const headers = toHttp2Headers(call, this.#session.scheme);
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(headers, { endStream: length === 0, waitForTrailers: length === -1 });
    } catch (error) {
      return this.#fail(this.#broken('the connection was closing', error), 'never-seen');
    }
    this.#stream = stream;
    this.#listen(stream);
    this.deadline = length === 0 ? this.#session.now + call.firstByteMs : Infinity;
    if (length === 0) return;
    this.#isBodyOpen = true;
    call.startBody(this);
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#call = null;
    this.#sink = null;
    this.#isBodyOpen = false;
    this.deadline = Infinity;
    if (this.#stream !== null && !this.#stream.destroyed) this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#session.release(this);
  }

  tick(now: number): void {
    if (now < this.deadline) return;
    const hasBegun = this.#sink !== null;
    // An app that reads on behind the beginning of its answer may have nothing to add before the end of the body.
    if (hasBegun && this.#isBodyOpen && !this.#isBlocked && this.#hasMoved) {
      this.#hasMoved = false;
      this.deadline = now + (this.#call as AppCall).idleMs;
      return;
    }
    // A session that does not answer may be dead without a sign: others get a new one.
    if (!hasBegun) this.#session.retire();
    const what = hasBegun ? 'fell silent in the middle of its answer' : 'did not begin to answer in time';
    this.#fail(new PosternError('UPSTREAM_TIMEOUT', `Cannot relay the app's response: it ${what}`), 'no');
  }

  write(chunk: Buffer): boolean {
    if (!this.#isBodyOpen || chunk.length === 0) return true;
    const stream = this.#stream as ClientHttp2Stream;
    if (this.#left !== -1) {
      if (chunk.length > this.#left) {
        this.#failBody('it is longer than announced');
        return true;
      }
      this.#left -= chunk.length;
    }
    this.#hasMoved = true;
    const canGoOn = stream.write(chunk);
    if (!canGoOn) {
      this.#isBlocked = true;
      this.deadline = this.#session.now + (this.#call as AppCall).idleMs;
    }
    return canGoOn;
  }

  flush(): void {}

  end(trailers: HeaderBlock | null): void {
    if (!this.#isBodyOpen) return;
    if (this.#left > 0) return this.#failBody('it is shorter than announced');
    this.#isBodyOpen = false;
    this.#requestTrailers = trailers;
    (this.#stream as ClientHttp2Stream).end();
    const call = this.#call;
    if (call === null) return;
    if (this.#sink === null) this.deadline = this.#session.now + call.firstByteMs;
    else if (this.deadline !== Infinity) this.deadline = this.#session.now + call.idleMs;
  }

  abort(error: PosternError): void {
    if (!this.#isBodyOpen) return;
    this.#isBodyOpen = false;
    this.#fail(error, 'no');
  }

  #failBody(what: string): void {
    this.#isBodyOpen = false;
    this.#fail(new PosternError('BAD_REQUEST', `Cannot send the request body to the app: ${what}`), 'no');
  }

  #listen(stream: ClientHttp2Stream): void {
    stream.on('headers', (headers, _flags, raw) => this.#onInform(headers[':status'] ?? 0, raw));
    stream.on('response', (headers, flags, raw) => this.#onHead(headers[':status'] ?? 0, flags, raw));
    stream.on('trailers', (_headers, _flags, raw) => {
      this.#trailers = keepAllowedTrailers(toBlock(raw));
    });
    stream.on('wantTrailers', () => stream.sendTrailers(toObject(this.#requestTrailers)));
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('drain', () => this.#onDrain());
    stream.on('end', () => this.#onEnd());
    stream.on('error', (error) => this.#onClose(error));
    stream.on('close', () => this.#onClose(null));
  }

  #onInform(status: number, raw: string[]): void {
    if (this.#isOver) return;
    if (++this.#informs > MAX_INFORMS) {
      const text = "Cannot relay the app's response: it sent too many informational answers";
      return this.#fail(new PosternError('UPSTREAM_BAD_RESPONSE', text), 'no');
    }
    const call = this.#call as AppCall;
    // It is at work; how often it may say so is bounded.
    if (!this.#isBodyOpen) this.deadline = this.#session.now + call.firstByteMs;
    if (status === 100 || status === 101) return;
    call.onInform(new AppResponseHead(status, toBlock(raw), true));
  }

  #onHead(status: number, flags: number, raw: string[]): void {
    const call = this.#call;
    if (call === null) return;
    if (status > MAX_STATUS) return this.#fail(badStatus(), 'no');
    const head = new AppResponseHead(status, toBlock(raw), true);
    const length = head.headers.get('content-length');
    if (length !== undefined) head.length = Number(length);
    head.headers.removeWhere(isNotForClients);
    head.isEventStream = head.headers.get('content-type')?.startsWith('text/event-stream') === true;
    const hasNoBody = (flags & END_STREAM) !== 0 || call.method === 'HEAD';
    const framing = head.length === -1 ? 'chunked' : 'length';
    head.framing = hasNoBody ? 'none' : framing;
    this.#sink = call.onHead(head, () => this.#goOn());
    if (this.#isOver) this.#sink = null;
    else this.deadline = this.#session.now + call.idleMs;
  }

  #onData(chunk: Buffer): void {
    if (this.#sink === null) return;
    const canGoOn = this.#sink.write(chunk);
    if (this.#isOver) return;
    this.#sink?.flush();
    this.deadline = canGoOn ? this.#session.now + (this.#call as AppCall).idleMs : Infinity;
    if (!canGoOn) this.#stream?.pause();
  }

  #goOn(): void {
    if (this.#isOver || this.#call === null) return;
    this.deadline = this.#session.now + this.#call.idleMs;
    this.#stream?.resume();
  }

  #onDrain(): void {
    if (!this.#isBlocked || !this.#isBodyOpen) return;
    this.#isBlocked = false;
    if (this.#sink === null) this.deadline = Infinity;
    this.#call?.resumeBody();
  }

  /** The runtime ends a reset stream too: only one without a reset is complete. */
  #onEnd(): void {
    const stream = this.#stream as ClientHttp2Stream;
    const sink = this.#sink;
    const call = this.#call;
    if (this.#isOver || sink === null || call === null) return;
    if (stream.rstCode !== 0 || stream.aborted || wasCut(stream)) return this.#onClose(null);
    const trailers = this.#trailers;
    if (this.#isBodyOpen) call.cancelBody();
    this.#isOver = true;
    this.deadline = Infinity;
    if (this.#isBodyOpen) stream.close(constants.NGHTTP2_NO_ERROR);
    this.#isBodyOpen = false;
    this.#session.release(this);
    call.onDone();
    sink.end(trailers === null ? null : call.passTrailers(trailers));
  }

  #onClose(cause: Error | null): void {
    if (this.#isOver) return;
    if (isOfProtocol(cause)) this.#session.noteBreach();
    const code = this.#stream?.rstCode ?? 0;
    if (this.#sink !== null) {
      const text = "Cannot relay the rest of the app's response: the app broke off";
      return this.#fail(new PosternError('UPSTREAM_TRUNCATED', text, { rstCode: code }, cause), 'no');
    }
    if (code === constants.NGHTTP2_REFUSED_STREAM) {
      return this.#fail(this.#broken('the app refused the stream', cause), 'never-seen');
    }
    this.#fail(this.#broken(`the stream was closed with code ${code}`, cause), this.#repeatAfter(cause));
  }

  /** An app that resets a stream has seen it, whatever the code; one whose connection just ended may not have. */
  #repeatAfter(cause: Error | null): Repeat {
    const id = this.#stream?.id;
    // RFC 9113 section 6.8: what is above the last stream of its GOAWAY was not looked at.
    if (id === undefined || id > this.#session.lastSeenId) return 'never-seen';
    // One that has said that it is at work has begun.
    if (!this.#session.isGone || this.#informs > 0) return 'no';
    // A body to HEAD or of a 204, or a longer one than announced, is malformed (section 8.1.1), of one stream alone; the
    // runtime ends the connection over it. Whoever waited beside it has not caused it.
    if (isOfProtocol(cause)) return this.#session.brokeInAnswer ? 'stale' : 'no';
    return this.isReused ? 'stale' : 'no';
  }

  #broken(how: string, cause: unknown): PosternError {
    return new PosternError('UPSTREAM_UNREACHABLE', `Cannot relay the app's response: ${how}`, {}, cause);
  }

  #fail(error: PosternError, repeat: Repeat): void {
    const call = this.#call;
    const sink = this.#sink;
    const wasBodyOpen = this.#isBodyOpen;
    this.destroy();
    if (sink === null) {
      call?.onFail(error, repeat);
      return;
    }
    if (wasBodyOpen) call?.cancelBody();
    call?.onBroken(error);
    sink.abort(error);
  }
}

/** The connection ended since one side broke the rules of HTTP/2: sent again, the request would do the same. */
function isOfProtocol(cause: Error | null): boolean {
  return cause !== null && 'code' in cause && String(cause.code).startsWith('ERR_HTTP2_');
}

function badStatus(): PosternError {
  const text = "Cannot relay the app's response: its status is not a number from 100 to 599";
  return new PosternError('UPSTREAM_BAD_RESPONSE', text);
}

/** What belongs to the app's connection or speaks for its own address; the length is the codec's to say. */
function isNotForClients(key: string): boolean {
  return key === 'content-length' || key === 'alt-svc' || isHopByHop(key);
}

/** The head is built once, as text; HTTP/2 takes lower-case names and the Host as ":authority". */
function toHttp2Headers(call: AppCall, scheme: string): OutgoingHttpHeaders {
  const lines = (call.head + call.lines.text).split('\r\n');
  const [method = call.method, path = '/'] = (lines[0] ?? '').split(' ');
  const headers: Record<string, string | string[]> = { ':method': method, ':scheme': scheme, ':path': path };
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(':');
    if (colon === -1) continue;
    const name = line.slice(0, colon).toLowerCase();
    if (name === 'connection') continue;
    append(headers, name === 'host' ? ':authority' : name, line.slice(colon + 2));
  }
  headers['te'] = 'trailers';
  if (call.bodyLength > 0) headers['content-length'] = String(call.bodyLength);
  return headers;
}

function append(headers: Record<string, string | string[]>, name: string, value: string): void {
  const known = headers[name];
  if (known === undefined) headers[name] = value;
  else if (typeof known === 'string') headers[name] = [known, value];
  else known.push(value);
}

function toObject(block: HeaderBlock | null): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  if (block !== null) for (const [, value, key] of block) append(headers, key, value);
  return headers;
}

/** From the flat list that keeps duplicates apart. */
function toBlock(raw: readonly string[]): HeaderBlock {
  const block = new HeaderBlock();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    if (!name.startsWith(':')) block.append(name, raw[i + 1] as string, name);
  }
  return block;
}
