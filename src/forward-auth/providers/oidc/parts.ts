/** What the steps of an OpenID sign-in share, and where kinds of providers differ. */
import type { Kept } from '../../../sign-in/oidc/kept.ts';
import type { ProviderHttp } from '../../../sign-in/provider-http.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import type { Claims } from '../../../sign-in/oauth/json.ts';
import type { AuthProviderDeps } from '../deps.ts';
import type { ClientAuth, TokenEndpoint } from '../../../sign-in/oauth/token-endpoint.ts';
import type { VerifyJwt } from './id-token.ts';
import type { Metadata } from './metadata.ts';

export interface OidcParts {
  readonly settings: ProviderSettings;
  readonly kind: OidcKind;
  readonly name: string;
  readonly deps: AuthProviderDeps;
  readonly http: ProviderHttp;
  readonly metadata: Kept<Metadata>;
  readonly verify: VerifyJwt;
  readonly tokens: TokenEndpoint;
  readonly ways: (metadata: Metadata) => readonly ClientAuth[];
  readonly scope: string;
  readonly allowedGroups: ReadonlySet<string>;
}

/** What is known when a kind may add to a session, or refuse it. */
export interface Enrichment {
  readonly parts: OidcParts;
  readonly metadata: Metadata;
  readonly session: AuthSession;
  /** Of the ID token, verified; of the token itself where a machine brought it. */
  readonly claims: Claims;
  readonly step: 'redeem' | 'refresh' | 'bearer';
}

export interface OidcKind {
  /** On the button, where the settings have no name. */
  readonly name: string;
  readonly scope: string;
  /** Whether "groups" is asked for as soon as groups are restricted. */
  readonly asksForGroups: boolean;
  /** An address is part of who somebody is: without one nobody comes in. */
  readonly needsEmail: boolean;
  /** False: the ID token says all, and a profile address is not looked at. */
  readonly hasProfile?: false;
  /** Whether a JWT of this provider counts as a bearer; left out: it does. */
  readonly takesBearers?: boolean;
  /** Endpoints that are known, while the settings name no issuer; left out: they are discovered. */
  readonly endpoints?: (settings: ProviderSettings) => Partial<Metadata>;
  /** Whether a description is of the issuer that was meant; left out: it names itself so. */
  readonly isIssuer?: (settings: ProviderSettings, found: string) => boolean;
  /** Whether a token's `iss` is one of this provider; left out: exactly the issuer. */
  readonly issuerRule?: (settings: ProviderSettings, metadata: Metadata, claims: Claims) => void;
  /** Both Google and Microsoft show a list of accounts; others have none to show, and ask for credentials. */
  readonly switchPrompt?: 'select_account';
  /** Where the settings say nothing else. */
  readonly loginDefaults?: Readonly<Record<string, string>>;
  readonly loginExtra?: (settings: ProviderSettings) => Readonly<Record<string, string>>;
  readonly encodeState?: (state: string) => string;
  /** Replaces the usual ways for a client to show who it is. */
  readonly clientAuth?: (settings: ProviderSettings, deps: AuthProviderDeps) => ClientAuth | null;
  /** More fields for the token endpoint. */
  readonly redeemExtra?: (settings: ProviderSettings) => Readonly<Record<string, string>>;
  /** Groups that the kind's own settings allow, besides `allowed-group`. */
  readonly allowedGroups?: (settings: ProviderSettings) => readonly string[];
  /** What an operator should know of these settings at the start; null: nothing. */
  readonly caution?: (settings: ProviderSettings) => string | null;
  readonly finalScope?: (settings: ProviderSettings, scope: string) => string;
  readonly enrich?: (enrichment: Enrichment) => Promise<AuthSession>;
}
