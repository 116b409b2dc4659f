/**
 * Requests that last: WebSockets, event streams, downloads. Whoever is still there after a moment is asked
 * about again and again; when the session is revoked, over, or no longer let in, the connection is closed.
 */
import { PosternError } from '../../core/errors.ts';
import { Roster } from '../../core/roster.ts';
import type { Tunnel } from '../../wire/tunnel.ts';
import type { Endless } from '../../wire/endless.ts';
import { GOING_AWAY, POLICY_VIOLATION } from '../../wire/websocket-frames.ts';
import type { AuthSession } from '../auth-session.ts';
import type { Found, SessionKeeper } from '../ports.ts';
import type { Admission } from './admission.ts';
import type { ServedRequest } from './served-request.ts';
import type { Who } from './session-chain.ts';

export interface LiveRequestsDeps {
  readonly keeper: Pick<SessionKeeper, 'find'>;
  readonly admission: Pick<Admission, 'admits'>;
  /** What is to end with the program; shared by all settings that came one after the other. */
  readonly endless: Endless<object>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const ENDING = new PosternError('CLIENT_CLOSED', 'The gateway ends');
/** Short requests are never looked at. */
const SHORT_MS = 200;
const RECHECK_MS = 500;
/** Each is asked about in its own half of that, so that ten thousand WebSockets hold nobody up. */
const SLOTS = 2;
/**
 * A keeper that must ask elsewhere each time is asked this often for one connection. One that hears of changes must
 * only when something has changed, or to be sure now and then.
 */
const REMOTE_RECHECK_MS = 5_000;
/** So long a store may be away before what it let in is closed. */
const STALE_MS = 60_000;

interface Watched {
  nextAt: number;
  confirmedAt: number;
  isAsking: boolean;
  /** The last answer came from elsewhere. */
  wasRemote: boolean;
}

export class LiveRequests {
  readonly #deps: LiveRequestsDeps;
  readonly #young = new Roster<ServedRequest>();
  readonly #watched = new Map<ServedRequest, Watched>();
  readonly #tunnels = new Map<ServedRequest, Tunnel>();
  #slot = 0;

  constructor(deps: LiveRequestsDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#young.size + this.#watched.size;
  }

  get tunnels(): number {
    return this.#tunnels.size;
  }

  begin(request: ServedRequest, who: Who): void {
    // What a skip rule let through depends on nobody.
    if (who.kind !== 'session' || request.session === null) return;
    request.credential = who.credential;
    this.#young.add(request);
  }

  setTunnel(request: ServedRequest, tunnel: Tunnel): void {
    // Its client closed in the very moment in which the app agreed: nobody would end it here any more.
    if (request.isOver) return;
    this.#tunnels.set(request, tunnel);
    this.#deps.endless.addTunnel(request, () => tunnel.end(GOING_AWAY));
  }

  setStream(request: ServedRequest): void {
    if (request.isOver) return;
    this.#deps.endless.addStream(request, () => request.exchange.abort(ENDING));
  }

  end(request: ServedRequest): void {
    this.#young.remove(request);
    this.#watched.delete(request);
    this.#tunnels.delete(request);
    this.#deps.endless.delete(request);
  }

  /** Call it about four times a second, with `performance.now()`. */
  tick(monotonic: number): void {
    const now = this.#deps.now();
    for (const request of this.#young.take(({ exchange }) => monotonic - exchange.startedAt >= SHORT_MS)) {
      const nextAt = now + (this.#slot * RECHECK_MS) / SLOTS;
      this.#slot = (this.#slot + 1) % SLOTS;
      this.#watched.set(request, { nextAt, confirmedAt: now, isAsking: false, wasRemote: false });
      // It is asked about as long as it lasts: what a keeper derives from its fields is worth keeping.
      request.exchange.request.headers.isRemembered = true;
    }
    for (const [request, entry] of this.#watched) {
      if (entry.isAsking || now < entry.nextAt) continue;
      entry.nextAt = now + RECHECK_MS;
      this.#recheck(request, entry, now);
    }
  }

  #recheck(request: ServedRequest, entry: Watched, now: number): void {
    if (request.credential === 'session') {
      this.#askKeeper(request, entry, now);
      return;
    }
    const session = request.session as AuthSession;
    if (session.expiresOn !== null && session.expiresOn <= now) this.#close(request, 'the token has expired');
    else if (!this.#deps.admission.admits(session)) this.#close(request, 'no longer let in');
  }

  #askKeeper(request: ServedRequest, entry: Watched, now: number): void {
    const found = this.#deps.keeper.find(request.exchange.request.headers);
    const { wasRemote } = entry;
    entry.wasRemote = found instanceof Promise;
    if (!(found instanceof Promise)) {
      this.#settle(request, entry, found);
      return;
    }
    entry.isAsking = true;
    if (wasRemote) entry.nextAt = now + REMOTE_RECHECK_MS;
    found
      .catch((): Found => ({ kind: 'unavailable' }))
      .then((late) => {
        entry.isAsking = false;
        if (this.#watched.has(request)) this.#settle(request, entry, late);
      })
      .catch(() => this.#close(request, 'the session cannot be looked up'));
  }

  #settle(request: ServedRequest, entry: Watched, found: Found): void {
    const now = this.#deps.now();
    if (found.kind === 'unavailable') {
      if (now - entry.confirmedAt > STALE_MS) this.#close(request, 'the session cannot be looked up');
      return;
    }
    entry.confirmedAt = now;
    if (found.kind === 'absent') this.#close(request, 'the session is over');
    else if (!this.#deps.admission.admits(found.session)) this.#close(request, 'no longer let in');
  }

  #close(request: ServedRequest, reason: string): void {
    const tunnel = this.#tunnels.get(request);
    this.#watched.delete(request);
    request.closedFor = reason;
    if (tunnel === undefined) request.exchange.abort(new PosternError('ACCESS_DENIED', `Closed: ${reason}`));
    else tunnel.end(POLICY_VIOLATION);
  }
}
