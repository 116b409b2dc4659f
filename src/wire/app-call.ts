/** What an app is asked, and what becomes of that: the contract between whoever relays and a connection of any version. */
import type { BodySink } from './exchange.ts';
import type { HeaderBlock } from './header-block.ts';
import type { RequestLines } from './request-lines.ts';
import type { AppResponseHead } from './response-head.ts';
import type { PosternError } from '../core/errors.ts';
import type { Duplex } from 'node:stream';

/** As many informational answers as anyone sane sends. */
export const MAX_INFORMS = 32;

/** A request on its way to an app, and who takes the answer. */
export interface AppCall {
  readonly method: string;
  /** Request line, Host and what differs from request to request, each line with its CRLF. */
  readonly head: string;
  /** The other fields. Framing fields are in neither. */
  readonly lines: RequestLines;
  /** As in BodySource; 0: none. */
  readonly bodyLength: number;
  readonly wantsUpgrade: boolean;
  /** Whoever may follow it on a connection that it signs in. */
  readonly visitor: object;
  /** It signs the connection in, and not itself: NTLM, Negotiate. */
  readonly bindsConnection: boolean;
  readonly firstByteMs: number;
  /** Longest silence in the middle of the answer; read again after `onHead`. */
  readonly idleMs: number;
  startBody(sink: BodySink): void;
  resumeBody(): void;
  cancelBody(): void;
  /** 1xx other than 100 and 101. */
  onInform(head: AppResponseHead): void;
  /** The connection is not needed any more; the response is complete once the sink's `end` returned. */
  onDone(): void;
  /** Broke after the head; the sink's `abort` follows. */
  onBroken(error: PosternError): void;
  /** What of the trailers the client may see. */
  passTrailers(trailers: HeaderBlock): HeaderBlock | null;
  /** The final head; answers who takes the body. `resume` goes on after the sink's `write` answered false. */
  onHead(head: AppResponseHead, resume: () => void): BodySink;
  /** 101: the connection is the caller's now. Bytes that came early are un-shifted; an error listener is needed. */
  onUpgrade(head: AppResponseHead, stream: Duplex): void;
  /** Broke before a final head. */
  onFail(error: PosternError, repeat: Repeat): void;
}

/**
 * Whether the app can have acted on a failed request: `never-seen` says that it has not; `stale` that a
 * reused connection was closed without a byte, so that an idempotent request may be sent again.
 */
export type Repeat = 'no' | 'stale' | 'never-seen';

/** What a call is sent on: an HTTP/1.1 connection, or a stream of an HTTP/2 one. */
export interface AppConnection {
  /** It carried an exchange before this one: the app may have closed it meanwhile. */
  readonly isReused: boolean;
  /** An app that closes it says which requests it has not looked at, whatever they ask. */
  readonly tellsUnseen: boolean;
  send(call: AppCall): void;
  /** The client of the exchange is gone, or nobody wants the rest. No callback follows. */
  destroy(): void;
}
