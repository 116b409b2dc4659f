/**
 * Asks a server at an interval whether it is well (RouteHealth of the document). Shared by all routes
 * that ask the same of the same target; its state survives a reload. A server counts as well until
 * it failed `fails` times in a row.
 */
import type { PoolWaiter } from './wait-queue.ts';
import type { Carrier } from './backends.ts';
import type { HealthCheck } from '../config/document/actions.ts';
import { timerMs } from '../core/durations.ts';
import type { PosternError } from '../core/errors.ts';
import { startPatience } from '../core/patience.ts';
import type { BodySink } from '../wire/exchange.ts';
import type { AppCall, AppConnection, Repeat } from '../wire/app-call.ts';
import { RequestLines } from '../wire/request-lines.ts';
import type { AppResponseHead } from '../wire/response-head.ts';

export interface ActiveCheckDeps {
  readonly settings: HealthCheck;
  readonly authority: string;
  readonly carrier: Carrier;
  readonly onChange: (isDown: boolean, error: string | null) => void;
}

export class ActiveCheck {
  isDown = false;
  readonly #deps: ActiveCheckDeps;
  readonly #timer: NodeJS.Timeout;
  #inARow = 0;
  #probe: Probe | null = null;

  constructor(deps: ActiveCheckDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.#ask(), timerMs(deps.settings.intervalMs));
    this.#timer.unref();
    this.#ask();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#probe?.cancel();
  }

  #ask(): void {
    if (this.#probe !== null) return;
    this.#probe = new Probe(this.#deps, (error) => {
      this.#probe = null;
      this.#learn(error);
    });
    this.#probe.start();
  }

  #learn(error: string | null): void {
    const { passes, fails } = this.#deps.settings;
    const isBad = error !== null;
    if (isBad === this.isDown) {
      this.#inARow = 0;
      return;
    }
    if (++this.#inARow < (isBad ? fails : passes)) return;
    this.#inARow = 0;
    this.isDown = isBad;
    this.#deps.onChange(isBad, error);
  }
}

const LINES = new RequestLines('User-Agent: postern-health\r\n');

/** One question. Its time is that in which this thread ran, as the answer decides about a server. */
class Probe implements PoolWaiter, AppCall, BodySink {
  readonly method = 'GET';
  readonly head: string;
  readonly lines: RequestLines = LINES;
  readonly bodyLength = 0;
  readonly wantsUpgrade = false;
  readonly wantsRecent = false;
  readonly visitor: object = this;
  readonly bindsConnection = false;
  wantsFresh = false;
  readonly maxConnections: number = Infinity;
  readonly connectMs: number;
  readonly firstByteMs: number = Infinity;
  readonly idleMs: number = Infinity;
  readonly #deps: ActiveCheckDeps;
  readonly #done: (error: string | null) => void;
  #stopWaiting: (() => void) | null = null;
  #connection: AppConnection | null = null;
  #isOver = false;

  constructor(deps: ActiveCheckDeps, done: (error: string | null) => void) {
    this.#deps = deps;
    this.#done = done;
    this.connectMs = deps.settings.timeoutMs;
    this.head = `GET ${deps.settings.path} HTTP/1.1\r\nHost: ${deps.authority}\r\n`;
  }

  start(): void {
    const { timeoutMs } = this.#deps.settings;
    this.#stopWaiting = startPatience(timerMs(timeoutMs), () => this.#finish(`no answer within ${timeoutMs} ms`));
    this.#deps.carrier.acquire(this);
  }

  cancel(): void {
    this.#isOver = true;
    this.#release();
  }

  onClient(connection: AppConnection): void {
    this.#connection = connection;
    connection.send(this);
  }

  onNoClient(error: PosternError): void {
    this.#finish(error.message);
  }

  onHead(head: AppResponseHead): BodySink {
    const [from, to] = this.#deps.settings.expect;
    this.#finish(head.status >= from && head.status <= to ? null : `status ${head.status}, expected ${from} to ${to}`);
    return this;
  }

  onFail(error: PosternError, repeat: Repeat): void {
    this.#connection = null;
    if (repeat === 'no' || this.wantsFresh || this.#isOver) return this.#finish(error.message);
    // The app closed an idle connection, as it may.
    this.wantsFresh = true;
    this.#deps.carrier.acquire(this);
  }

  /** The connection is somebody else's from here on. */
  onDone(): void {
    this.#connection = null;
  }

  onInform(): void {}
  onUpgrade(): void {}
  onBroken(): void {}
  startBody(): void {}
  resumeBody(): void {}
  cancelBody(): void {}
  passTrailers(): null {
    return null;
  }
  write(): boolean {
    return true;
  }
  flush(): void {}
  end(): void {}
  abort(): void {}

  #finish(error: string | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#release();
    this.#done(error);
  }

  #release(): void {
    this.#stopWaiting?.();
    if (this.#connection === null) this.#deps.carrier.cancel(this);
    // Not in the middle of its own callback: the connection reads on behind `onHead`.
    else setImmediate(() => this.#connection?.destroy());
  }
}
