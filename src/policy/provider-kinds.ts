/**
 * Which kinds of principal which type of provider can answer for. GitHub's organisations and teams are
 * groups of the person, written "acme" and "acme/platform"; its names ignore case, so they are kept and
 * compared in lower case.
 */

export type PersonKind = 'user' | 'email' | 'email-domain' | 'group' | 'role' | 'org' | 'team';

export interface ProviderRef {
  readonly id: string;
  readonly type: string;
  /** Domains whose addresses it may vouch for; "*" or left out: all. */
  readonly emailDomains?: readonly string[];
}

const KINDS: Readonly<Record<string, readonly PersonKind[]>> = {
  local: ['user', 'email', 'email-domain', 'group'],
  oidc: ['user', 'email', 'email-domain', 'group', 'role'],
  github: ['user', 'email', 'email-domain', 'org', 'team'],
};
const NONE: readonly PersonKind[] = [];

export const PERSON_KINDS: ReadonlySet<string> = new Set(Object.values(KINDS).flat());

export function kindsOf(provider: ProviderRef): readonly PersonKind[] {
  return KINDS[provider.type] ?? NONE;
}

export function isKindOf(kind: string, provider: ProviderRef): kind is PersonKind {
  return (kindsOf(provider) as readonly string[]).includes(kind);
}

/** Whether the provider's word counts for addresses of the domain. */
export function vouchesFor(provider: ProviderRef, domain: string): boolean {
  const { emailDomains } = provider;
  return emailDomains === undefined || emailDomains.includes('*') || emailDomains.includes(domain);
}

const GITHUB_LOGIN = /^[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?(?:_[a-z0-9]{1,10})?$/;
const GITHUB_SLUG = /^[a-z0-9._-]{1,100}$/;

/** A name of GitHub as it is compared; null where there can be none of that kind. */
export function canonicalGithubName(kind: PersonKind, value: string): string | null {
  const text = value.toLowerCase();
  if (kind !== 'team') return GITHUB_LOGIN.test(text) ? text : null;
  const [org = '', slug = '', more] = text.split('/');
  return more === undefined && GITHUB_LOGIN.test(org) && GITHUB_SLUG.test(slug) ? text : null;
}
