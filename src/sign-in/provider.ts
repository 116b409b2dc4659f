/**
 * A provider signs people in elsewhere: an OpenID provider, GitHub. To the flow they all look alike:
 * begin gives the address to go to, finish makes a person of the callback, refresh asks again later.
 * State, PKCE, nonce and the binding to the browser belong to the flow; tokens to the provider.
 */
import type { Person } from '../core/person.ts';
import type { StepUp } from '../policy/facts.ts';
import type { Registration } from './texts/registration.ts';

export interface BeginWish {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  /** The person wants another account than the one that the provider remembers. */
  readonly switchAccount: boolean;
  /** What the session has not shown and a route asks for; null: an ordinary sign-in. */
  readonly stepUp: WantedProof | null;
  /** Languages of the person, the best first. */
  readonly uiLocales: readonly string[];
}

export interface WantedProof extends StepUp {
  /** The provider was asked once already, and let the person through without asking them. */
  readonly insists: boolean;
}

export interface Callback {
  /** The query as it came. Its `state` is the flow's, checked already. */
  readonly query: URLSearchParams;
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** What a visitor is told of; the words are in texts. */
export type ProblemReason =
  /** The provider does not answer, or says that it cannot right now. */
  | 'unavailable'
  /** The person, or the provider, said no. */
  | 'denied'
  /** The provider wants the person to act there first: consent, another sign-in. */
  | 'interaction'
  /** A scope was refused: the operator has to change something. */
  | 'scope'
  /** The registration does not fit: wrong secret, unknown client, redirect URI. */
  | 'registration'
  /** Tokens, codes or claims that do not hold what they must. */
  | 'invalid'
  /** The clocks are apart. */
  | 'clock'
  /** A real person whom the settings of the provider keep out: another hosted domain, too weak a proof. */
  | 'not-admitted'
  /** The provider does not say what the rules have to know: an organisation keeps its members to itself. */
  | 'withheld';

export interface ProviderProblem {
  readonly reason: ProblemReason;
  /** For the log: what happened and what to change. Holds no token and no code. */
  readonly message: string;
  /** What the visitor may be told as well: names of organisations. */
  readonly about?: string;
  /** Of `registration`: what does not fit, where that is known. */
  readonly setting?: Registration;
}

/** Sealed before it is kept; plain JSON. */
export interface ProviderGrant {
  readonly accessToken: string | null;
  readonly refreshToken: string | null;
  readonly idToken: string | null;
  /** When the access token is too old, as far as the provider says. */
  readonly expiresAt: number | null;
  /** The same of the ID token, by our clock; left out: as the access token. */
  readonly idTokenExpiresAt?: number | null;
}

export interface Known {
  readonly person: Person;
  readonly grant: ProviderGrant;
  /** When to look again; null: never. */
  readonly refreshAt: number | null;
  /** For the log: what is odd but no reason to refuse. */
  readonly notes: readonly string[];
  /** Numbers of the person's organisations by their names, which others may take up. */
  readonly organisations?: ReadonlyMap<string, string>;
}

export type Begun =
  | { readonly kind: 'go'; readonly url: string }
  | { readonly kind: 'problem'; readonly problem: ProviderProblem };
export type Finished =
  | (Known & {
      readonly kind: 'known';
      readonly providerSession: string | null;
      /** When the person signed in there, by the provider's clock; left out or null: not said. */
      readonly authTime?: number | null;
    })
  | { readonly kind: 'problem'; readonly problem: ProviderProblem };
export type Refreshed =
  | (Known & { readonly kind: 'known' })
  /** The provider takes its word back: the session ends. */
  | { readonly kind: 'ended'; readonly message: string }
  /** Nothing was learned: people go on, and it is asked again. */
  | {
      readonly kind: 'unavailable';
      readonly message: string;
      /** It is about this person alone, who is asked about again then. Left out: others would be answered as little. */
      readonly retryAt?: number;
      /** New tokens came before what went wrong: a refresh token that was rotated must not be lost. */
      readonly grant?: ProviderGrant;
    };
export type LogoutToken =
  | {
      readonly kind: 'logout';
      readonly subject: string | null;
      readonly providerSession: string | null;
      /** By the provider's clock. */
      readonly issuedAt: number;
      /** `jti`: a token counts once. */
      readonly id: string;
    }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string };

export type VerifiedBearer =
  /** `kid`: of the key that signed it; null: it does not say. */
  | { readonly kind: 'bearer'; readonly person: Person; readonly expiresAt: number; readonly kid: string | null }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string };

export interface Provider {
  readonly id: string;
  readonly label: string;
  /** What sessions are bound to besides the id: an id that means another issuer by now ends them. */
  readonly authority: string;
  /** Whether a name that a rule uses belongs for good to whoever had it first. */
  readonly pinsNames: boolean;
  /** Whether the provider can be asked for this. */
  readonly canStepUp: (needs: StepUp) => boolean;
  /** Asks in the background what a sign-in will need, once the gateway listens: the provider may stand behind it. */
  readonly warm: () => void;
  readonly begin: (wish: BeginWish) => Promise<Begun>;
  readonly finish: (callback: Callback) => Promise<Finished>;
  readonly refresh: (person: Person, grant: ProviderGrant) => Promise<Refreshed>;
  /** Where signing out goes on at the provider; null: nowhere. */
  readonly logoutUrl: (grant: ProviderGrant, returnTo: string) => Promise<string | null>;
  /** Whether a logout token says that it is for this provider and client. Nothing is checked yet. */
  readonly isMeantBy?: (logoutToken: string) => boolean;
  readonly readLogoutToken?: (logoutToken: string) => Promise<LogoutToken>;
  /** For `postern check --live`: tries what can be tried without a person. */
  readonly probe: (redirectUri: string) => Promise<readonly Finding[]>;
  /** Whose access token it is; only where the document lets the provider's tokens count. */
  readonly verifyBearer?: (token: string) => Promise<VerifiedBearer>;
  readonly close: () => void;
}

export interface Finding {
  readonly ok: boolean;
  /** What was tried, or what is wrong and what to change. */
  readonly message: string;
}

/** What the flow and the pages need of the providers of the running document. */
export interface Providers {
  readonly find: (id: string) => Provider | null;
  /** In the order of the document. */
  readonly list: () => readonly Provider[];
}

export const NO_PROVIDERS: Providers = { find: () => null, list: () => [] };

/** A grant as it comes back from the store; null for whatever is none. */
export function readGrant(value: unknown): ProviderGrant | null {
  if (typeof value !== 'object' || value === null) return null;
  const { accessToken, refreshToken, idToken, expiresAt, idTokenExpiresAt } = value as Record<string, unknown>;
  const text = (one: unknown): string | null => (typeof one === 'string' ? one : null);
  const time = (one: unknown): number | null => (typeof one === 'number' ? one : null);
  return {
    accessToken: text(accessToken),
    refreshToken: text(refreshToken),
    idToken: text(idToken),
    expiresAt: time(expiresAt),
    idTokenExpiresAt: idTokenExpiresAt === undefined ? time(expiresAt) : time(idTokenExpiresAt),
  };
}
