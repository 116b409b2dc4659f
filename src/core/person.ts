/**
 * A person is (provider id, subject). Everything else is an attribute and never identifies.
 */
export interface Person {
  /** Id of the provider in the document, e.g. "local". */
  readonly provider: string;
  /** The provider's stable id of the person. Never reused, never shown as a name. */
  readonly subject: string;
  /** Login name: `user:` rules and {user.name} use it. */
  readonly name: string;
  readonly displayName: string;
  readonly email: string | null;
  readonly emailVerified: boolean;
  readonly groups: readonly string[];
  readonly roles: readonly string[];
  /** How the person proved who they are (RFC 8176), e.g. ["pwd"], ["pwd", "otp"]. */
  readonly amr: readonly string[];
}

/** Who sent a request, as the rules see it. */
export type Identity =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'person'; readonly person: Person }
  | { readonly kind: 'service'; readonly name: string }
  /** A machine that came with a token made for this name. */
  | { readonly kind: 'token'; readonly name: string };
