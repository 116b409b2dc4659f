/** What an app learns about who comes, and under which names. */
export interface IdentityHeaders {
  readonly fields: readonly IdentityField[];
  /** `repeated`: a field for each group. */
  readonly groupsEncoding: 'comma' | 'json' | 'repeated';
  /** `aud` of the signed assertion; null: the origin of the host. */
  readonly audience: string | null;
  /** Tokens of the provider that the app asks for; empty for nearly every route. */
  readonly tokens: readonly TokenField[];
}

/** A token of the person's provider, passed on. In `Authorization` it comes behind "Bearer ". */
export interface TokenField {
  readonly name: string;
  readonly token: TokenKind;
}

export type TokenKind = 'access_token' | 'id_token';

export interface IdentityField {
  readonly name: string;
  readonly value: IdentityValue;
}

export type IdentityValue =
  | 'user'
  | 'preferred_username'
  | 'name'
  | 'email'
  | 'groups'
  | 'roles'
  | 'subject'
  | 'provider'
  | 'assertion';
