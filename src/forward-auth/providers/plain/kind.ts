/** What differs between providers that speak OAuth 2.0 and an API of their own. */
import type { ProviderHttp } from '../../../sign-in/provider-http.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { ProviderSettings } from '../../settings.ts';
import type { Claims } from '../../../sign-in/oauth/json.ts';
import type { Persona } from '../oidc/session.ts';
import type { ApiRequest } from '../../../sign-in/oauth/api.ts';

export interface PlainUrls {
  readonly login: string;
  readonly redeem: string;
  readonly profile: string;
  readonly validate: string;
}

/** Somebody's access token, and whom to ask with it. */
export interface Inquiry {
  readonly settings: ProviderSettings;
  readonly http: ProviderHttp;
  readonly urls: PlainUrls;
  readonly accessToken: string;
  /** Asks with the access token; one JSON object, or it rejects. */
  readonly ask: (url: string, request?: Partial<ApiRequest>) => Promise<Claims>;
}

export interface PlainKind {
  readonly name: string;
  readonly scope: string;
  /** Empty ones must be set by the operator. */
  readonly urls: PlainUrls;
  /** Whether the provider is known to check a challenge. */
  readonly takesPkce: boolean;
  readonly finalScope?: (settings: ProviderSettings, scope: string) => string;
  /** Who it is. Rejects for those whom the settings keep out. */
  readonly read: (inquiry: Inquiry) => Promise<Persona>;
  readonly allowedGroups?: (settings: ProviderSettings) => readonly string[];
  /** What the settings let in besides groups, judged again for each request. */
  readonly authorizes?: (settings: ProviderSettings) => (session: AuthSession) => boolean;
}
