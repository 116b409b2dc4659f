/**
 * What serving needs from those who keep sessions and those who know providers. Each keeper (embedded
 * store, Redis, sealed cookie) and each provider is one of these; the flow knows no other difference.
 */
import type { HeardLogout, Opening } from '../sign-in/heard-logouts.ts';
import type { HeaderBlock } from '../wire/header-block.ts';
import type { AuthSession } from './auth-session.ts';
import type { FrontRequest } from './front-request.ts';

export type Found =
  | {
      readonly kind: 'found';
      readonly session: AuthSession;
      /** Opaque to all but the keeper. */ readonly handle: string;
    }
  /** `hadCookie`: something came that is none (any more), and the browser should forget it. */
  | { readonly kind: 'absent'; readonly hadCookie: boolean }
  /** The store does not answer: 5xx, never a sign-out and never access. */
  | { readonly kind: 'unavailable' };

/** `host` is the visitor's host as trusted headers say it, without port: it chooses the cookie's domain. */
export interface CookiePlace {
  readonly host: string;
}

export interface SessionKeeper {
  /** Answers at once where it can: this is the hot path. */
  find(headers: HeaderBlock): Found | Promise<Found>;
  /** A new session with a new id, whatever the request brought; answers the Set-Cookie lines. */
  open(session: AuthSession, place: CookiePlace, headers: HeaderBlock): Promise<readonly string[]>;
  /**
   * After a refresh: the same session with new content; answers the Set-Cookie lines, if any are needed. Rejects with
   * ACCESS_DENIED where the session was ended meanwhile, with STORE_UNAVAILABLE where the store fails.
   */
  replace(handle: string, session: AuthSession, place: CookiePlace, headers: HeaderBlock): Promise<readonly string[]>;
  /** Ends what the request brought; answers the Set-Cookie lines that clear it. Rejects where the store fails. */
  end(headers: HeaderBlock, place: CookiePlace): Promise<readonly string[]>;
  /** The Set-Cookie lines that make the browser forget, and nothing else. */
  clear(headers: HeaderBlock, place: CookiePlace): readonly string[];
  /** Runs `work` once for all who ask for the same handle at the same time, over replicas where the store can. */
  once<T>(handle: string, work: () => Promise<T>): Promise<T>;
  /** For `/ready`. */
  isReady(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Logout tokens of the last minutes, for sessions that are just being opened: whoever hears one notes it before sessions
 * are ended, whoever opens one looks here once it is kept. Each rejects where the store fails.
 */
export interface LogoutMemory {
  /** How many were heard, wherever this store is used: grows. */
  readonly count: () => Promise<number>;
  readonly hear: (logout: HeardLogout) => Promise<void>;
  /** Whether the provider has ended what the session stands on. */
  readonly cover: (opening: Opening) => Promise<boolean>;
}

export interface LoginWish {
  readonly redirectUri: string;
  readonly state: string;
  /** Already hashed as it goes to the provider; null: none is asked for. */
  readonly nonce: string | null;
  readonly codeChallenge: { readonly challenge: string; readonly method: 'S256' | 'plain' } | null;
  /** The person's own query, for parameters that may be overridden. */
  readonly overrides: URLSearchParams;
  /** The person wants another account than the one that the provider knows: it is to ask which (`prompt`). */
  readonly switchesAccount?: boolean;
}

export interface RedeemWish {
  readonly code: string;
  readonly redirectUri: string;
  readonly codeVerifier: string | null;
  /** As it came with the callback; RFC 9207. */
  readonly issuer: string | null;
  /** The hashed nonce that the id token must hold; null: not asked for. */
  readonly nonce: string | null;
}

export type ProviderAnswer<T> =
  | { readonly kind: 'ok'; readonly value: T }
  /** The provider, or what it sent, says no; or a real person is kept out by the settings of the provider. */
  | { readonly kind: 'refused'; readonly message: string; readonly isNotAdmitted?: boolean }
  /** It cannot be asked right now. */
  | { readonly kind: 'unavailable'; readonly message: string };

export interface AuthProvider {
  /** On the button: "Keycloak". */
  readonly displayName: string;
  /** Whether it is known enough to sign people in; false while discovery has not succeeded yet. */
  readonly isReady: () => boolean;
  /** Which PKCE method to use for the next sign-in; null: none. */
  readonly codeChallengeMethod: () => 'S256' | 'plain' | null;
  readonly usesNonce: boolean;
  readonly loginUrl: (wish: LoginWish) => Promise<ProviderAnswer<string>>;
  /** Redeems the code and learns everything about the person. */
  readonly redeem: (wish: RedeemWish) => Promise<ProviderAnswer<AuthSession>>;
  /** New tokens and claims; `value` null: it has nothing to refresh with. `refused` ends the session. */
  readonly refresh: (session: AuthSession) => Promise<ProviderAnswer<AuthSession | null>>;
  /** Asks whether the access token still counts (`validate-url`), where the kind does that. */
  readonly validate: (session: AuthSession) => Promise<ProviderAnswer<true>>;
  /** Groups, roles, users that the settings name. Synchronous: judged for each request. */
  readonly authorizes: (session: AuthSession) => boolean;
  /** Of a JWT that a machine brought; null: not one of ours. */
  readonly verifyBearer: (token: string) => Promise<ProviderAnswer<AuthSession> | null>;
  /** What an error that came back with the person means, and what to change: for the log. */
  readonly explainCallbackError?: (error: string, description: string | null) => string;
  /** What a logout token asks for, fully checked but for being used once; left out: the kind has none. */
  readonly readLogoutToken?: (token: string) => Promise<ProviderAnswer<LogoutCall>>;
  /** When the person of a new session signed in there, by its clock; null: not said. With `readLogoutToken`. */
  readonly authTimeOf?: (session: AuthSession) => number | null;
  readonly close: () => void;
}

/** Whose sessions end: without the name of a session at the provider, all of that person. */
export interface LogoutCall {
  readonly subject: string | null;
  readonly providerSession: string | null;
  /** By the provider's clock. */
  readonly issuedAt: number;
  readonly id: string;
}

/** The endpoints that people meet. Each answers the request's exchange, and never rejects. */
export interface Flow {
  /** `/oauth2/sign_in`: the page, or the password form that was sent. */
  signIn(request: FrontRequest): Promise<void>;
  /** `/oauth2/start`. */
  start(request: FrontRequest): Promise<void>;
  /** `/oauth2/callback`, GET or POST (form_post). */
  callback(request: FrontRequest): Promise<void>;
  /** `/oauth2/sign_out`. */
  signOut(request: FrontRequest, session: AuthSession | null): Promise<void>;
  /** `/oauth2/backchannel-logout`, from the provider itself. */
  backChannelLogout(request: FrontRequest): Promise<void>;
  /** Somebody without a session, in proxy mode: the page with 403, or on to the provider with 302. */
  askToSignIn(request: FrontRequest): Promise<void>;
  /** An app that does not answer, somebody whom the settings keep out: a page with this status. */
  sendError(request: FrontRequest, status: number, message: string): void;
  /** A page for somebody signed in whom the rules keep out: 403, who it is, and the way to another account. */
  sendNotAdmitted(request: FrontRequest, session: AuthSession): void;
  /** `/oauth2/static/*`. */
  sendStatic(request: FrontRequest): void;
}
