/** What the app side reports of one request: for the log, for the page of a failure, for closing a tunnel. */
import { failWith } from './refuse.ts';
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
    failWith(this.#context, error);
  }

  onTunnel(tunnel: Tunnel): void {
    this.tunnel = tunnel;
    this.#longLived.setTunnel(this.#context, tunnel);
  }
}
