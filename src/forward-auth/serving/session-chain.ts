/**
 * Who comes: a bearer token, a name and password of the htpasswd file, or a session, in this order. What a
 * session alone needs is answered at once where its keeper knows it. A credential that does not hold falls
 * through to the session, as with oauth2-proxy, unless `bearer-token-login-fallback` is off.
 */
import { decodeBasic } from '../../gate/basic.ts';
import { bearerOf } from './bearer.ts';
import type { AuthSession } from '../auth-session.ts';
import type { Found, SessionKeeper } from '../ports.ts';
import type { BearerSettings } from '../settings.ts';
import type { Bearers } from './bearer.ts';
import type { Htpasswd } from './htpasswd.ts';
import type { ServedRequest } from './served-request.ts';
import type { SessionRefresh } from './session-refresh.ts';

export type Credential = 'session' | 'bearer' | 'htpasswd';

export type Who =
  | {
      readonly kind: 'session';
      readonly session: AuthSession;
      /** Set-Cookie lines of a refresh. */
      readonly cookies: readonly string[];
      readonly credential: Credential;
    }
  /** `cookies`: lines that make the browser forget. */
  | { readonly kind: 'nobody'; readonly hadCookie: boolean; readonly cookies: readonly string[] }
  /** A bearer that does not hold, and nothing else is tried. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'unavailable' };

export type SessionChain = (request: ServedRequest) => Who | Promise<Who>;

export interface SessionChainDeps {
  readonly keeper: SessionKeeper;
  readonly refresh: SessionRefresh;
  readonly bearer: BearerSettings;
  readonly bearers: Bearers;
  readonly htpasswd: Htpasswd | null;
  readonly onRefused: (request: ServedRequest, message: string) => void;
}

const NONE: readonly string[] = [];
const REFUSED: Who = { kind: 'refused' };
const UNAVAILABLE: Who = { kind: 'unavailable' };
const NOBODY: Who = { kind: 'nobody', hadCookie: false, cookies: NONE };
const NOBODY_ANY_MORE: Who = { kind: 'nobody', hadCookie: true, cookies: NONE };

export function createSessionChain(deps: SessionChainDeps): SessionChain {
  const takesCredentials = deps.bearer.accepts || deps.htpasswd !== null;
  return (request) => {
    const authorization = takesCredentials ? request.exchange.request.headers.get('authorization') : undefined;
    return authorization === undefined ? fromKeeper(deps, request) : fromCredential(deps, request, authorization);
  };
}

async function fromCredential(deps: SessionChainDeps, request: ServedRequest, authorization: string): Promise<Who> {
  // Two of them would let each reader of the request take another one.
  const isOne = request.exchange.request.headers.count('authorization') === 1;
  if (deps.bearer.accepts) {
    const who = await fromBearer(deps, request, isOne ? authorization : '');
    if (who !== null) return who;
  }
  if (deps.htpasswd !== null && isOne) {
    const who = await fromPassword(deps.htpasswd, request, authorization);
    if (who !== null) return who;
  }
  return fromKeeper(deps, request);
}

/** Null: go on with what else there is. */
async function fromBearer(deps: SessionChainDeps, request: ServedRequest, authorization: string): Promise<Who | null> {
  const token = bearerOf(authorization);
  const answer = token === null ? null : await deps.bearers.verify(token);
  if (answer?.kind === 'ok') return { kind: 'session', session: answer.session, cookies: NONE, credential: 'bearer' };
  if (answer?.kind === 'unavailable') return UNAVAILABLE;
  if (answer !== null) deps.onRefused(request, answer.message);
  return deps.bearer.fallsBack ? null : REFUSED;
}

async function fromPassword(htpasswd: Htpasswd, request: ServedRequest, authorization: string): Promise<Who | null> {
  const pair = authorization.startsWith('Basic ') ? decodeBasic(authorization) : null;
  if (pair === null || pair.name === '') return null;
  const answer = await htpasswd.verify(pair.name, pair.password, request.clientIp);
  if (answer === 'busy') return UNAVAILABLE;
  if (answer !== 'ok') return null;
  return { kind: 'session', session: htpasswd.sessionOf(pair.name), cookies: NONE, credential: 'htpasswd' };
}

function fromKeeper(deps: SessionChainDeps, request: ServedRequest): Who | Promise<Who> {
  const found = deps.keeper.find(request.exchange.request.headers);
  return found instanceof Promise ? found.then((late) => settle(deps, request, late)) : settle(deps, request, found);
}

function settle(deps: SessionChainDeps, request: ServedRequest, found: Found): Who | Promise<Who> {
  if (found.kind === 'found') {
    if (deps.refresh.isDue(found)) return refreshed(deps, request, found);
    return whoIs(found.session);
  }
  if (found.kind === 'unavailable') return UNAVAILABLE;
  return found.hadCookie ? NOBODY_ANY_MORE : NOBODY;
}

/** The same object for the same session: most requests are of sessions that came before. */
const known = new WeakMap<AuthSession, Who>();

function whoIs(session: AuthSession): Who {
  let who = known.get(session);
  if (who === undefined) {
    who = { kind: 'session', session, cookies: NONE, credential: 'session' };
    known.set(session, who);
  }
  return who;
}

async function refreshed(
  deps: SessionChainDeps,
  request: ServedRequest,
  found: Extract<Found, { kind: 'found' }>,
): Promise<Who> {
  const answer = await deps.refresh.run(request, found);
  switch (answer.kind) {
    case 'session':
      return answer.cookies.length === 0
        ? whoIs(answer.session)
        : { kind: 'session', session: answer.session, cookies: answer.cookies, credential: 'session' };
    case 'ended':
      return { kind: 'nobody', hadCookie: true, cookies: answer.cookies };
    default:
      return UNAVAILABLE;
  }
}
