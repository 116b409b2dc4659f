/** Who vouches for people: local accounts, OpenID Connect, GitHub. */
import type { Path } from './path.ts';

export type Provider = LocalProvider | OidcProvider | GithubProvider;

interface AnyProvider {
  readonly id: string;
  /** Domains whose verified addresses count; "*" for all. */
  readonly emailDomains: readonly string[];
  readonly at: Path;
}

/** Whoever administers accounts vouches for their addresses. */
export interface LocalProvider extends AnyProvider {
  readonly type: 'local';
}

export interface OidcProvider extends AnyProvider {
  readonly type: 'oidc';
  /** The word under `type:` in the document: "oidc", or a preset such as "keycloak". */
  readonly preset: string;
  /** On the chooser's button. */
  readonly label: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | null;
  readonly clientAuth: 'auto' | 'basic' | 'post';
  readonly scopes: readonly string[];
  readonly userClaims: readonly string[];
  readonly groupsClaims: readonly string[];
  readonly rolesClaims: readonly string[];
  readonly readsAccessToken: boolean;
  /** Where groups are asked for that did not fit into a token; null: nowhere. */
  readonly overageUrl: string | null;
  readonly trustEmail: boolean;
  /** Of which an account has to be (`hd`); none: of any, or of no Workspace at all. */
  readonly hostedDomains: readonly string[];
  /** Google's directory, for groups; null: it is not asked. */
  readonly directory: DirectorySettings | null;
  readonly prompt: string | null;
  readonly switchPrompt: string;
  readonly acrValues: readonly string[];
  /** What in an ID token says that the person has shown a second factor. `acr` is asked for where a route needs one. */
  readonly secondFactor: { readonly acr: readonly string[]; readonly amr: readonly string[] };
  readonly maxAgeSeconds: number | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly clockToleranceMs: number;
  readonly recheckMs: number;
  readonly logout: boolean;
  /** Origin that takes the issuer's place for requests of Postern itself. */
  readonly internalUrl: string | null;
  readonly caPem: string | null;
  /** Whether and for whom its tokens count as `Authorization: Bearer`; null: never. */
  readonly bearer: BearerSettings | null;
}

export interface DirectorySettings {
  /** In whose name the directory is asked. */
  readonly admin: string;
  /** The key file of a service account, as text; null: what the machine runs as. */
  readonly serviceAccount: string | null;
  /** The service account that signs for what the machine runs as; null: its own. */
  readonly principal: string | null;
}

export interface BearerSettings {
  /** One of these must be in `aud`. */
  readonly audiences: readonly string[];
  /** Clients that may have asked for the token (`azp`); null: any. */
  readonly parties: readonly string[] | null;
}

export interface GithubProvider extends AnyProvider {
  readonly type: 'github';
  readonly label: string;
  /** "https://github.com", or the base of an Enterprise Server. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scopes: readonly string[];
  readonly recheckMs: number;
  readonly caPem: string | null;
}
