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
  /** What the document looks for and the provider said nothing of, not even that there are none. */
  readonly unsaid?: readonly Unsaid[];
  /** Of what there is more than is known here: too much for the provider's token, or for us. */
  readonly cut?: readonly Unsaid[];
  /** Organisations that rules name and of which the provider does not say whether the person is in. A deny that names one refuses them. */
  readonly withheld?: readonly string[];
  /** How the person proved who they are (RFC 8176), e.g. ["pwd"], ["pwd", "otp"]. */
  readonly amr: readonly string[];
  /** Of a local account: the id of the second factor that was shown, where one was. For us alone. */
  readonly factor?: string;
  /** The level of authentication that the provider named. */
  readonly acr?: string | null;
  /** When they last proved it, by our clock; what is not known is not recent. */
  readonly authenticatedAt?: number | null;
  /** Of somebody who came by a link and is no person at all: where it leads. */
  readonly link?: LinkPlace;
}

/** Groups, or roles, that are kept of one person. */
export const MOST_NAMES = 10_000;

/** What rules may look at and a provider may say nothing of. A person holds the first three; the others follow from the rest of them. */
export type Unsaid = 'name' | 'groups' | 'roles' | 'email' | 'verified-email' | 'organisations';

export interface LinkPlace {
  readonly host: string;
  /** "/report.pdf", or "/docs/*" for that and all below. */
  readonly scope: string;
}

/** Stands where the id of a provider stands for people; no id in a document looks like it. */
export const LINK_PROVIDER = '#link';

/** Who sent a request, as the rules see it. */
export type Identity =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'person'; readonly person: Person }
  | { readonly kind: 'service'; readonly name: string }
  /** A machine that came with a token made for this name. */
  | { readonly kind: 'token'; readonly name: string }
  /** Whoever had a link of this name: let in to its place and nowhere else. */
  | { readonly kind: 'link'; readonly name: string; readonly place: LinkPlace | 'anywhere' };

/** Who holds a session, as the rules see it. */
export function identityOfPerson(person: Person): Identity {
  if (person.provider !== LINK_PROVIDER) return { kind: 'person', person };
  // One without a place is none of ours: it leads nowhere.
  const place = person.link ?? { host: '', scope: '' };
  return { kind: 'link', name: person.name, place };
}

export function isInPlace(
  place: LinkPlace | 'anywhere',
  request: { readonly host: string; readonly path: string },
): boolean {
  // Only where rules are tried without a link at hand.
  if (place === 'anywhere') return true;
  const { host, scope } = place;
  if (request.host !== host) return false;
  if (!scope.endsWith('/*')) return request.path === scope;
  return request.path === scope.slice(0, -2) || request.path.startsWith(scope.slice(0, -1));
}
