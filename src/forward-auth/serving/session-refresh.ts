/**
 * Renews a session when it is `cookie-refresh` old: new tokens and claims from the provider, once for all
 * requests that come at the same time. A provider that says no ends the session; one that does not answer
 * leaves it as it is, and is asked again after a while. Where there is nothing to refresh with, the provider
 * is asked whether the access token still counts.
 */
import { PosternError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import type { AuthSession } from '../auth-session.ts';
import type { AuthProvider, Found, SessionKeeper } from '../ports.ts';
import type { ServedRequest } from './served-request.ts';

export type FoundSession = Extract<Found, { readonly kind: 'found' }>;

export type Refreshed =
  /** `cookies`: Set-Cookie lines that go with it. */
  | {
      readonly kind: 'session';
      readonly session: AuthSession;
      readonly handle: string;
      readonly cookies: readonly string[];
    }
  /** Nothing of it is left, here and with the keeper. */
  | { readonly kind: 'ended'; readonly cookies: readonly string[] }
  | { readonly kind: 'unavailable' };

export interface SessionRefresh {
  /** Synchronous, and false for nearly every request. */
  readonly isDue: (found: FoundSession) => boolean;
  readonly run: (request: ServedRequest, found: FoundSession) => Promise<Refreshed>;
}

export interface SessionRefreshDeps {
  readonly keeper: SessionKeeper;
  readonly provider: Pick<AuthProvider, 'refresh' | 'validate'>;
  readonly clock: Clock;
  /** 0: never. */
  readonly refreshMs: number;
  /** Why a session ended, or stays although it should have been renewed. */
  readonly onOutcome: (outcome: RefreshOutcome, message: string, request: ServedRequest) => void;
}

export type RefreshOutcome = 'refreshed' | 'refused' | 'postponed';

/** After an outage, and between two questions about a token that cannot be refreshed. */
const AGAIN_MS = 30_000;
const MAX_POSTPONED = 10_000;

export function createSessionRefresh(deps: SessionRefreshDeps): SessionRefresh {
  const { clock, keeper, refreshMs } = deps;
  /** Handle -> when to try again. */
  const postponed = new Map<string, number>();
  const isOld = (session: AuthSession): boolean => clock.now() - session.createdAt > refreshMs;

  const postpone = ({ session, handle }: Extract<Refreshed, { kind: 'session' }>): void => {
    const again = clock.now() + AGAIN_MS;
    const { expiresOn } = session;
    postponed.delete(handle);
    postponed.set(handle, expiresOn !== null && expiresOn > clock.now() ? Math.min(expiresOn, again) : again);
    // The eldest go first.
    if (postponed.size > MAX_POSTPONED) postponed.delete(postponed.keys().next().value as string);
  };

  return {
    isDue({ session, handle }) {
      if (refreshMs === 0 || session.via !== 'provider' || !isOld(session)) return false;
      return clock.now() >= (postponed.get(handle) ?? 0);
    },
    run: (request, found) =>
      keeper
        .once(found.handle, async () => {
          const refreshed = await renew(deps, request, found, isOld);
          if (refreshed.kind === 'session' && isOld(refreshed.session)) postpone(refreshed);
          return refreshed;
        })
        .catch(unavailableWithoutStore),
  };
}

/** A store that went away when the lock was asked for. */
function unavailableWithoutStore(error: unknown): Refreshed {
  if (error instanceof PosternError && error.code === 'STORE_UNAVAILABLE') return { kind: 'unavailable' };
  throw error;
}

type IsOld = (session: AuthSession) => boolean;

// oxlint-disable-next-line max-params -- one step of `run`, with its surroundings
async function renew(
  deps: SessionRefreshDeps,
  request: ServedRequest,
  first: FoundSession,
  isOld: IsOld,
): Promise<Refreshed> {
  // Whoever held the lock before may have done it, or ended the session.
  const found = await deps.keeper.find(request.exchange.request.headers);
  if (found.kind === 'unavailable') return { kind: 'unavailable' };
  if (found.kind === 'absent') return end(deps, request, 'the session was ended meanwhile');
  if (found.handle !== first.handle || !isOld(found.session)) return keep(found);
  const answer = await deps.provider.refresh(found.session);
  if (answer.kind === 'refused') return end(deps, request, answer.message);
  if (answer.kind === 'unavailable') return goOn(deps, request, found, answer.message);
  if (answer.value === null) return confirm(deps, request, found);
  return replace(deps, request, found, answer.value);
}

function keep({ session, handle }: FoundSession): Refreshed {
  return { kind: 'session', session, handle, cookies: [] };
}

// oxlint-disable-next-line max-params -- one step of `run`, with its surroundings
function goOn(deps: SessionRefreshDeps, request: ServedRequest, found: FoundSession, message: string): Refreshed {
  deps.onOutcome('postponed', message, request);
  return keep(found);
}

/** Nothing to refresh with: what the access token still is worth decides. */
async function confirm(deps: SessionRefreshDeps, request: ServedRequest, found: FoundSession): Promise<Refreshed> {
  const { session } = found;
  const now = deps.clock.now();
  if (session.expiresOn !== null && session.expiresOn <= now)
    return end(deps, request, 'the access token has expired, and there is no refresh token');
  const answer = await deps.provider.validate(session);
  if (answer.kind === 'refused') return end(deps, request, answer.message);
  if (answer.kind === 'unavailable') return goOn(deps, request, found, answer.message);
  // A token with an end is asked about until then; one without has only the age of the session.
  return session.expiresOn === null ? replace(deps, request, found, { ...session, createdAt: now }) : keep(found);
}

// oxlint-disable-next-line max-params -- one step of `run`, with its surroundings
async function replace(
  deps: SessionRefreshDeps,
  request: ServedRequest,
  found: FoundSession,
  session: AuthSession,
): Promise<Refreshed> {
  const { headers } = request.exchange.request;
  try {
    const cookies = await deps.keeper.replace(found.handle, session, { host: request.visitorHost }, headers);
    deps.onOutcome('refreshed', 'Session refreshed', request);
    return { kind: 'session', session, handle: found.handle, cookies };
  } catch (error) {
    if (error instanceof PosternError && error.code === 'ACCESS_DENIED') return end(deps, request, error.message);
    // The new tokens are lost with the store; the session is what it was.
    return goOn(deps, request, found, (error as Error).message);
  }
}

async function end(deps: SessionRefreshDeps, request: ServedRequest, message: string): Promise<Refreshed> {
  deps.onOutcome('refused', message, request);
  const place = { host: request.visitorHost };
  const { headers } = request.exchange.request;
  try {
    return { kind: 'ended', cookies: await deps.keeper.end(headers, place) };
  } catch {
    return { kind: 'unavailable' };
  }
}
