/**
 * What sign-in needs from elsewhere, as small interfaces. `session/` keeps the sessions, codes and
 * accounts; the rules and the document come from main. Everything runs on the control thread.
 */
import type { Clock } from '../core/clock.ts';
import type { Person } from '../core/person.ts';
import type { StepUp } from '../policy/facts.ts';
import type { RefusingRule } from '../policy/refusing-rule.ts';
import type { CallbackLimit } from './callback-limit.ts';
import type { HeardLogouts } from './heard-logouts.ts';
import type { Brand } from './pages/brand.ts';
import type { UnsaidClaims } from './pages/unsaid.ts';
import type { Provider, Providers } from './provider.ts';

/** A request to one of Postern's own pages. */
export interface SignInRequest {
  readonly method: string;
  /** Absolute URL as the visitor typed it: scheme, host, public port, canonical path, query byte for byte. */
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
  readonly ip: string | null;
  readonly requestId: string;
  /** The session of this host that the gate found and validated; null without one. */
  readonly session: SessionFacts | null;
  readonly onSignInHost: boolean;
}

export interface SessionFacts {
  readonly key: string;
  readonly parent: string;
  readonly host: string;
  readonly person: Person;
  readonly expiresAt: number;
  readonly lastSeenAt: number;
}

/** The token goes into the cookie and is kept nowhere else. */
export interface FreshSession {
  readonly token: string;
  readonly view: SessionFacts;
}

export interface SignInOptions {
  readonly authority: string;
  readonly providerSession: string | null;
  /** Instead of the usual lifetime. */
  readonly expiresAt?: number;
  readonly grant: { readonly value: unknown; readonly refreshAt: number | null } | null;
}

export type TokenBasis = Pick<SignInOptions, 'authority' | 'providerSession'> & {
  readonly grant: NonNullable<SignInOptions['grant']>;
};

export interface SignInSessions {
  /** A new sign-in of a person whom a provider vouches for. */
  readonly openSignIn: (person: Person, host: string, options: SignInOptions) => Promise<FreshSession>;
  /** New tokens for a sign-in that goes on; false unless they are of the same person and the same session of the provider. */
  readonly renewTokens: (key: string, person: Person, basis: TokenBasis) => Promise<boolean>;
  /** What the provider gave for a sign-in; undefined where there is nothing. */
  readonly findGrant: (key: string) => Promise<unknown>;
  /** A cookie for an app host; null where the sign-in session is gone. */
  readonly openChild: (parentKey: string, host: string) => Promise<FreshSession | null>;
  /** Ends a sign-in with all its children; 0: it had ended already. */
  readonly revoke: (key: string) => Promise<number>;
  readonly revokeByPerson: (provider: string, subject: string) => Promise<number>;
  readonly revokeByProviderSession: (provider: string, providerSession: string) => Promise<number>;
  /** Sign-ins of a person of which the provider did not say its own session. */
  readonly revokeUnnamed: (provider: string, subject: string) => Promise<number>;
  /** Sign-ins of a person that showed a second factor which is theirs no more, all but `except`. */
  readonly revokeByFactor: (
    person: { readonly provider: string; readonly subject: string },
    factor: { readonly id: string; readonly kind: 'totp' | 'passkey' },
    except: string,
  ) => Promise<number>;
  readonly mintCode: (payload: unknown, ttlMs: number) => Promise<string>;
  /** The payload for the first caller in time, null for everybody else. */
  readonly redeemCode: (code: string) => Promise<unknown>;
  /**
   * True, durably, for the first caller with this text, which is worth nothing after `until`; across restarts. No `owner`
   * may take so much that others find no room.
   */
  readonly spend: (
    use: 'flow' | 'logout' | 'passkey',
    text: string,
    options: { readonly until: number; readonly owner: string },
  ) => Promise<boolean>;
  readonly wasSpent: (use: 'flow' | 'logout' | 'passkey', text: string) => Promise<boolean>;
}

export interface SignInAccount {
  readonly subject: string;
  readonly name: string;
  readonly displayName: string;
  readonly passwordHash: string | null;
  readonly disabled: boolean;
}

export interface SignInAccounts {
  readonly findByName: (name: string) => Promise<SignInAccount | null>;
  readonly find: (subject: string) => Promise<SignInAccount | null>;
  /**
   * Null where the account is not enabled at this moment, or has another password hash than `verified` by now.
   * They proved who they are at `authenticatedAt`: now, where that is left out.
   */
  readonly openSignIn: (
    subject: string,
    host: string,
    amr: readonly string[],
    options?: {
      readonly verified?: string | undefined;
      readonly authenticatedAt?: number | null | undefined;
      /** The second factor that was shown. Null, too, where it is removed meanwhile. */
      readonly factor?: { readonly id: string; readonly isThere: () => Promise<boolean> } | undefined;
    },
  ) => Promise<FreshSession | null>;
  /** False where the hash is no longer `from`: the password has changed meanwhile. */
  readonly rehash: (subject: string, from: string, to: string) => Promise<boolean>;
  readonly peekLink: (token: string) => Promise<SignInAccount | null>;
  /** Sets the password once and ends the account's sessions; null where the link is unknown, used or too old. */
  readonly consumeLink: (token: string, passwordHash: string) => Promise<SignInAccount | null>;
}

export interface SignInPasskey {
  readonly credentialId: string;
  /** COSE key, base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
  /** It may be on several devices (backup eligible, which never changes: WebAuthn section 6.1.3). Left out of old ones: not known. */
  readonly isSynced?: boolean;
}

export interface SignInFactorWish {
  readonly name: string;
  /** Whoever adds it has shown none: where there is one by now, it is not added. */
  readonly isFirst: boolean;
}

/** Second factors of local accounts. */
export interface SignInFactors {
  readonly overview: (subject: string) => Promise<{
    readonly factors: readonly {
      readonly id: string;
      readonly kind: 'totp' | 'passkey';
      readonly name: string;
      readonly createdAt: number;
      readonly lastUsedAt: number | null;
    }[];
    readonly recoveryLeft: number;
  }>;
  readonly isEnrolled: (subject: string) => Promise<boolean>;
  readonly hasPasskeys: () => Promise<boolean>;
  readonly addTotp: (subject: string, wish: SignInFactorWish, secret: string, code: string) => Promise<string | null>;
  readonly checkCode: (
    subject: string,
    typed: string,
  ) => Promise<
    | { readonly kind: 'totp'; readonly factor: string }
    | { readonly kind: 'recovery' | 'wrong' }
    | { readonly kind: 'wait'; readonly retryAfterMs: number }
  >;
  readonly addPasskey: (subject: string, wish: SignInFactorWish, passkey: SignInPasskey) => Promise<string | null>;
  readonly passkeysOf: (subject: string) => Promise<readonly SignInPasskey[]>;
  readonly findPasskey: (credentialId: string) => Promise<{
    readonly id: string;
    readonly subject: string;
    readonly state: SignInPasskey;
    /** False where another use came first. */
    readonly use: (counter: number) => Promise<boolean>;
  } | null>;
  /** New codes; the old ones are void. */
  /** Null: there is no second factor, or there are some where only missing ones are asked for. */
  readonly makeRecovery: (subject: string, which: 'all' | 'missing') => Promise<readonly string[] | null>;
  readonly remove: (subject: string, id: string) => Promise<boolean>;
}

export interface SignInAttempts {
  readonly begin: (
    account: string,
    ip: string | null,
  ) => { readonly kind: 'go' } | { readonly kind: 'wait'; readonly retryAfterMs: number };
  readonly succeed: (account: string, ip: string | null) => void;
  readonly cancel: (account: string, ip: string | null) => void;
}

export interface SignInHashPool {
  /** A hash of null stands for an unknown name: it costs the same and is wrong. */
  readonly verify: (hash: string | null, password: string, peer: string) => Promise<'ok' | 'wrong' | 'busy'>;
  readonly hash: (
    password: string,
    peer: string,
  ) => Promise<{ readonly kind: 'hash'; readonly hash: string } | { readonly kind: 'busy' }>;
}

/** Seals JSON for one purpose; what was not sealed by us for that purpose opens as undefined. */
export interface SignInSeal {
  readonly seal: (purpose: string, value: unknown) => string;
  readonly unseal: (purpose: string, sealed: string) => unknown;
}

export interface SignInSettings {
  /** Origin of the sign-in host with the port that visitors type, e.g. "https://auth.localhost:8443". */
  readonly signInUrl: string;
  readonly lifetimeMs: number;
  /** ".example.com": one cookie for the domain instead of hand-offs. */
  readonly cookieDomain: string | null;
  readonly brand: Brand;
  /** Whether the document has accounts of Postern's own. */
  readonly hasLocalAccounts: boolean;
  /** Whether what stands after "#" is kept over a provider's own pages. */
  readonly keepsFragment: boolean;
  /** `sign_in.provider`: the way to sign in where nothing else is said. */
  readonly provider: string | null;
}

export type Admission =
  /** `notes`: for the log, what of the person does not count. */
  | { readonly kind: 'person'; readonly person: Person; readonly notes: readonly string[] }
  | { readonly kind: 'refused'; readonly message: string };

/** `organisations`: their numbers by name, where others may take up the name. */
export type Admit = (
  provider: Provider,
  person: Person,
  organisations?: ReadonlyMap<string, string>,
) => Promise<Admission>;

export interface EntryFacts {
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly person: Person;
  readonly ip: string | null;
}

export interface SignInLink {
  readonly key: string;
  readonly name: string;
  readonly host: string;
  /** Path and query that it opens. */
  readonly target: string;
  readonly expiresAt: number;
}

/** Links that let whoever has them in. */
export interface SignInLinks {
  /** What it would open; null where it is none of ours, altered, over, or used up. */
  readonly peek: (value: string) => Promise<SignInLink | null>;
  /** Takes one use of it. */
  readonly open: (value: string) => Promise<{ readonly link: SignInLink; readonly person: Person } | null>;
  /** False once it is revoked. */
  readonly isThere: (key: string) => Promise<boolean>;
  /** Whether somebody is let in as who they are, as far as can be told here. */
  readonly isOpenTo: (facts: EntryFacts) => boolean;
}

/** `needs`: the rules let the person in, the route asks for more than was shown. */
export interface EntryDecision {
  readonly kind: string;
  readonly needs?: StepUp;
  /** Of a refusal, for somebody who may know. */
  readonly refusedBy?: RefusingRule;
  /** What the person's provider said nothing of, where that may be why they are refused. */
  readonly unsaid?: UnsaidClaims | null;
  /** Of a refusal, and of what is missing, for the log. */
  readonly judged?: JudgedEntry;
}

/** Somebody who is refused before they come to a host: of the line in the log. Plain data. */
export interface RefusedEntry {
  /** Null: nobody knows. */
  readonly person: Pick<Person, 'provider' | 'name'> | null;
  /** Where they wanted to go, the query with its "?", or ""; null: nowhere but to sign in. */
  readonly wanted: { readonly host: string; readonly path: string; readonly query: string } | null;
  /** `sign-in`: they would have to show more than their provider does. */
  readonly decision: 'deny' | 'sign-in';
  /** Null: they may not even sign in, and no rule was asked. */
  readonly judged: JudgedEntry | null;
}

export interface JudgedEntry {
  readonly route: string;
  readonly rule: string;
  /** What those on trial would have decided, where that is something else. */
  readonly shadow: { readonly kind: string; readonly rule: string } | null;
}

export interface SignInDeps {
  /** Public keys that apps check assertions with. */
  readonly jwks?: () => readonly object[];
  readonly sessions: SignInSessions;
  readonly links?: SignInLinks;
  readonly accounts: SignInAccounts;
  readonly attempts: SignInAttempts;
  readonly factors: SignInFactors;
  readonly hashPool: SignInHashPool;
  readonly seal: SignInSeal;
  readonly clock: Clock;
  readonly providers: Providers;
  /** The last word on whom a provider knows: names that are pinned to another subject. */
  readonly admit: Admit;
  /** Names our cookies, since cookies ignore ports. */
  readonly instance: string;
  /** Read at each use, so that a reload changes it. */
  readonly settings: () => SignInSettings;
  /** Whether the document lists the host, exactly or by wildcard. Not `default:`: its names are the visitor's to choose. */
  readonly isListedHost: (host: string) => boolean;
  /** The decision for a GET of this person; everything but `allow` is refused. */
  readonly mayEnter: (facts: EntryFacts) => EntryDecision | Promise<EntryDecision>;
  /** Whether a place passes on tokens of the provider that this sign-in has no more, and only another brings. */
  readonly lacksTokens?: (key: string, place: { readonly host: string; readonly path: string }) => Promise<boolean>;
  /** `sign_in.provider` of the route that takes a path. */
  readonly providerFor?: (host: string, path: string) => string | null;
  /** Apps to offer on the start page. */
  readonly appsFor?: (person: Person, ip: string | null) => readonly AppLink[];
  /** Told of what a visitor only sees as a 5xx page, and of sign-ins for the audit log. Never holds a secret. */
  readonly report?: (event: SignInEvent) => void;
}

/** What the room remembers by itself. */
export interface SignInMemory {
  readonly longTickets: LongTickets;
  readonly callbacks: CallbackLimit;
  readonly logouts: HeardLogouts;
}

/** Tickets that do not fit into a cookie, kept in the store; bounded, since anybody may begin a sign-in. */
export interface LongTickets {
  /** Null where too many wait already, of this address or of all. */
  readonly keep: (mint: () => Promise<string>, ip: string | null, now: number) => Promise<string | null>;
}

export interface AppLink {
  readonly name: string;
  readonly url: string;
}

export type SignInEvent =
  | { readonly kind: 'failed'; readonly requestId: string; readonly error: unknown }
  | {
      readonly kind:
        | 'signed-in'
        | 'refused'
        | 'disabled'
        | 'limited'
        | 'busy'
        | 'signed-out'
        | 'signed-out-everywhere'
        | 'password-set';
      readonly requestId: string;
      readonly ip: string | null;
      /** Canonical name, or null where what was typed can be none. */
      readonly account: string | null;
      /** Left out: local accounts. */
      readonly provider?: string;
      /** What is odd about the person, but no reason to refuse. */
      readonly notes?: readonly string[];
    }
  | {
      readonly kind: 'provider-problem';
      readonly requestId: string;
      readonly ip: string | null;
      readonly provider: string;
      readonly reason: string;
      readonly message: string;
      readonly notes?: readonly string[];
      /** Whoever likes can have as many of these as he likes, and no provider had a part in it. */
      readonly isAnybodys?: boolean;
    }
  | {
      readonly kind: 'back-channel-logout';
      readonly requestId: string;
      readonly provider: string | null;
      /** Null: it was right. */
      readonly refusal: string | null;
      /** Cookies that ended by it. */
      readonly ended?: number;
    };
