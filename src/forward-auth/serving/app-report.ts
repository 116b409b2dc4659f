/** What the engine tells of a request to an app: for the log, for the page of a failure, for closing a tunnel. */
import type { ErrorCode, PosternError } from '../../core/errors.ts';
import type { ForwardReport } from '../../upstream/plan.ts';
import type { Tunnel } from '../../wire/tunnel.ts';
import type { Flow } from '../ports.ts';
import type { LiveRequests } from './live-requests.ts';
import type { ServedRequest } from './served-request.ts';

export interface AppReportDeps {
  readonly flow: Pick<Flow, 'sendError'>;
  readonly live: LiveRequests;
}

export class AppReport implements ForwardReport {
  server: string | null = null;
  connectMs: number | null = null;
  firstByteMs: number | null = null;
  retries = 0;
  errorCode: ErrorCode | null = null;
  error: PosternError | null = null;
  readonly #request: ServedRequest;
  readonly #deps: AppReportDeps;

  constructor(request: ServedRequest, deps: AppReportDeps) {
    this.#request = request;
    this.#deps = deps;
    request.report = this;
  }

  onFailure(error: PosternError): void {
    const request = this.#request;
    if (!request.isOver) this.#deps.flow.sendError(request, statusOf(error.code), messageOf(error.code));
  }

  onTunnel(tunnel: Tunnel): void {
    this.#deps.live.setTunnel(this.#request, tunnel);
  }

  onEventStream(): void {
    this.#deps.live.setStream(this.#request);
  }
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  PAYLOAD_TOO_LARGE: 413,
  REQUEST_TIMEOUT: 408,
  LOOP_DETECTED: 508,
  OVERLOADED: 503,
  INTERNAL: 500,
};

/** Whatever fails on the way to the app is 502, as with the original. */
function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 502;
}

function messageOf(code: ErrorCode): string {
  const status = statusOf(code);
  if (status === 502) return 'The app does not answer';
  return status < 500 ? 'The request cannot be passed on to the app' : 'The request cannot be answered';
}
