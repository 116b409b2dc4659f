/** What the app side reports of one request: for the log, for the page of a failure, for closing a tunnel. */
import { failWith, sendNoApp } from './refuse.ts';
import type { ErrorCode, PosternError } from '../core/errors.ts';
import type { ForwardReport } from '../upstream/plan.ts';
import type { Tunnel } from '../wire/tunnel.ts';
import type { LongLived } from './long-lived.ts';
import type { RequestContext } from './request-context.ts';

export class RequestReport implements ForwardReport {
  server: string | null = null;
  connectMs: number | null = null;
  firstByteMs: number | null = null;
  retries = 0;
  errorCode: ErrorCode | null = null;
  error: PosternError | null = null;
  tunnel: Tunnel | null = null;
  readonly #context: RequestContext;
  readonly #longLived: LongLived;

  constructor(context: RequestContext, longLived: LongLived) {
    this.#context = context;
    this.#longLived = longLived;
  }

  onFailure(error: PosternError): void {
    const context = this.#context;
    // An app of one's own that is not there is no fault of the gateway, and the visitor can do something about it.
    if (error.code === 'UPSTREAM_UNREACHABLE' && context.place !== null && !context.isOver) {
      context.error = error;
      context.errorCode = error.code;
      sendNoApp(context, 503);
    } else failWith(context, error);
  }

  onTunnel(tunnel: Tunnel): void {
    this.tunnel = tunnel;
    this.#longLived.setTunnel(this.#context, tunnel);
  }

  onEventStream(): void {
    this.#longLived.setStream(this.#context);
  }
}
