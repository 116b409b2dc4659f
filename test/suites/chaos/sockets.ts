/** WebSockets that stay open while all of that happens: they end with the permission, and not before. */
import type { OpenSocket } from './client.ts';
import type { Session } from './model.ts';
import type { Stage } from './stage.ts';
import { AT_ONCE_MS } from '../../support/programs.ts';

const LOOK_MS = 50;
const DRAINED_MS = 40_000;

interface Live {
  readonly session: Session;
  readonly host: string;
  readonly socket: OpenSocket;
  /** Since when it may not be open; null: it may. */
  forbiddenSince: number | null;
  /** When it was last possible that it has to end. */
  doubtAt: number;
  /** Refused already, by us. */
  isTold: boolean;
}

export class Sockets {
  readonly #stage: Stage;
  readonly #all = new Set<Live>();
  readonly #timer: NodeJS.Timeout;
  /** Longest time from the acknowledgement to the end. */
  slowestMs = 0;
  opened = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  add(session: Session, host: string, socket: OpenSocket): void {
    const live: Live = { session, host, socket, forbiddenSince: null, doubtAt: Date.now(), isTold: false };
    this.#all.add(live);
    this.opened++;
    this.#judge(live);
    void socket.closed.then((at) => this.#ended(live, at));
  }

  /** Called after each change, too, so that the time is that of the change. */
  #look(): void {
    for (const live of this.#all) this.#judge(live);
  }

  look(): void {
    this.#look();
  }

  #judge(live: Live): void {
    const now = Date.now();
    const outcomes = this.#stage.model.outcomes(live.session, live.host);
    if (outcomes.size !== 1 || !outcomes.has('in')) live.doubtAt = now;
    const isForbidden = !outcomes.has('in') && !outcomes.has('nobody') && !outcomes.has('failed');
    live.forbiddenSince = isForbidden ? (live.forbiddenSince ?? now) : null;
    if (live.forbiddenSince === null || live.isTold || now - live.forbiddenSince < AT_ONCE_MS) return;
    if (this.#stage.isStalled()) return;
    live.isTold = true;
    this.#stage.wrong(
      `a WebSocket of ${live.session.who} (session ${live.session.number}) at ${live.host} is still open ${now - live.forbiddenSince} ms after it had to end`,
    );
  }

  #ended(live: Live, at: number): void {
    this.#judge(live);
    this.#all.delete(live);
    if (live.forbiddenSince !== null) this.slowestMs = Math.max(this.slowestMs, at - live.forbiddenSince);
    else if (at - live.doubtAt > AT_ONCE_MS && !this.#isEnding && !this.#isDrained(at) && !this.#stage.isStalled())
      this.#stage.wrong(
        `a WebSocket of ${live.session.who} (session ${live.session.number}) at ${live.host} ended although nothing was changed`,
      );
  }

  /** A worker that met a defect ends its WebSockets once another one listens, and that may take. */
  #isDrained(at: number): boolean {
    return this.#stage.kills.some((killed) => at - killed < DRAINED_MS);
  }

  #isEnding = false;

  close(): void {
    this.#isEnding = true;
    clearInterval(this.#timer);
    for (const { socket } of this.#all) socket.end();
  }
}
