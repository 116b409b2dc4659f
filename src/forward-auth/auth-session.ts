/** Who signed in, as oauth2-proxy's contract knows them: claims for headers, tokens for those who pass them on. */

export interface AuthSession {
  /** Milliseconds since the epoch; set anew by a refresh (`cookie-expire` and `cookie-refresh` count from here). */
  readonly createdAt: number;
  /** When the access token is too old; null: the provider does not say. */
  readonly expiresOn: number | null;
  /** The id that the provider gives: `sub`, a login. */
  readonly user: string;
  readonly email: string;
  readonly groups: readonly string[];
  readonly preferredUsername: string;
  readonly accessToken: string;
  readonly idToken: string;
  readonly refreshToken: string;
  readonly nonce: string;
  /** Of `additionalClaims`, as the provider gave them. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** The provider's own session id (`sid`), for back-channel logout. */
  readonly providerSession: string;
  /** How it came: a session of a provider, the password file, a bearer token. */
  readonly via: 'provider' | 'htpasswd' | 'bearer';
}

export const NO_SESSION: AuthSession = {
  createdAt: 0,
  expiresOn: null,
  user: '',
  email: '',
  groups: [],
  preferredUsername: '',
  accessToken: '',
  idToken: '',
  refreshToken: '',
  nonce: '',
  claims: {},
  providerSession: '',
  via: 'provider',
};
