/** What an exchange, its request body and its response need of the connection that carries them. */
import type { Socket } from 'node:net';
import type { PosternError } from '../core/errors.ts';
import type { ConnectionFacts } from './exchange.ts';
import type { Ticker } from './ticker.ts';
import type { LateWrite } from './turn-end.ts';

export interface Http1Carrier {
  readonly facts: ConnectionFacts;
  readonly socket: Socket;
  readonly ticker: Ticker;
  /** False once no further request will be read: told to drain, or framing is lost. */
  keepAlive: boolean;
  /** Longest that the client may take nothing of the running answer. */
  writeIdleMs: number;
  /** True where the client sent FIN: what it sent until then still gets its answer. */
  readonly hasReadEnded: boolean;
  /** Bytes that are here and unread. */
  readonly keptBytes: number;
  /** The body wants bytes again: hands it those that are kept, and reads on. */
  feedBody(): void;
  /** The last byte of the request body was read. */
  bodyDone(): void;
  /** The request body breaks a rule: what of it was passed on is aborted, and the client told so. */
  bodyFailed(error: PosternError, status: number, rule: string): void;
  /** Takes a whole answer. Nothing else is written before it is sent: the next head and the end send it first. */
  readonly late: LateWrite;
  /** The answer was handed to the socket. */
  responseDone(): void;
  /** The message cannot be completed: the client must see that. `byReset` where a plain close would look complete. */
  destroy(byReset?: boolean): void;
  /** Hands the socket over, with unread bytes put back. */
  detach(): Socket;
}
