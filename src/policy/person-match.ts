/**
 * What a rule asks of a person: by name, group, role, organisation, team or e-mail address. Pure, and about one person
 * of the right provider; what a rule is made of, and who else it may mean, stands in matcher.ts.
 */
import type { Person, Unsaid } from '../core/person.ts';
import { parseEmailAddress } from './email-address.ts';
import type { PersonKind } from './principal.ts';
import { isKept } from './unsaid.ts';

export interface PersonTest {
  readonly kind: PersonKind;
  readonly provider: string;
  readonly value: string;
}

/** What each reads of a person. */
export const READS: Readonly<Record<PersonKind, readonly Unsaid[]>> = {
  user: ['name'],
  group: ['groups'],
  role: ['roles'],
  org: ['organisations'],
  team: ['organisations'],
  email: ['email', 'verified-email'],
  'email-domain': ['email', 'verified-email'],
};

/** Of "acme/platform", and of "acme" itself. */
export function organisationOf(value: string): string {
  return value.split('/', 1)[0] ?? '';
}

type PersonPredicate = (person: Person, value: string) => boolean;

/**
 * A deny ignores the case of names and their form in Unicode, and counts an e-mail that is not verified or not
 * plainly an address: a spelling must not be a way around it, nor more groups than fit into a token.
 */
export const PERSON_TESTS: Readonly<Record<'allow' | 'deny', Readonly<Record<PersonKind, PersonPredicate>>>> = {
  allow: {
    user: (person, value) => person.name === value && isNamed(person),
    group: (person, value) => person.groups.includes(value),
    role: (person, value) => person.roles.includes(value),
    org: (person, value) => person.groups.includes(value),
    team: (person, value) => person.groups.includes(value),
    email: (person, value) => verifiedEmail(person)?.text === value,
    'email-domain': (person, value) => verifiedEmail(person)?.domain === value,
  },
  deny: {
    user: (person, value) => isSameIgnoringCase(person.name, value),
    group: (person, value) => isCut(person, 'groups') || hasIgnoringCase(person.groups, value),
    role: (person, value) => isCut(person, 'roles') || hasIgnoringCase(person.roles, value),
    org: (person, value) => hasIgnoringCase(person.groups, value) || isKept(person, value),
    team: (person, value) => hasIgnoringCase(person.groups, value) || isKept(person, organisationOf(value)),
    email: (person, value) => isDeniedEmail(person, (address) => address.text === value),
    'email-domain': (person, value) => isDeniedEmail(person, (address) => address.domain === value),
  },
};

/** A subject that stands in for a name that the provider does not say is nobody's name: it may read as somebody else's. */
export function isNamed({ unsaid }: Person): boolean {
  return unsaid?.includes('name') !== true;
}

/**
 * The name as apps are told it where nothing else stands before it: somebody of whom the provider says none is
 * "keycloak:9f3c", and whoever calls themselves that is not to be taken for them.
 */
export function toldName(person: Person): string {
  const { provider, name, subject } = person;
  if (!isNamed(person)) return `${provider}:${subject}`;
  return name.startsWith(`${provider}:`) ? `${provider}:${name}` : name;
}

/** What they have besides is not known. */
function isCut({ cut }: Person, what: Unsaid): boolean {
  return cut?.includes(what) === true;
}

function hasIgnoringCase(names: readonly string[], value: string): boolean {
  return names.some((name) => isSameIgnoringCase(name, value));
}

function isSameIgnoringCase(a: string, b: string): boolean {
  return a === b || fold(a) === fold(b);
}

/** Full-width letters become ASCII by NFKC, and "e" with an accent one letter; lower-casing may take some apart again. */
function fold(name: string): string {
  return ASCII.test(name) ? name.toLowerCase() : name.normalize('NFKC').toLowerCase().normalize('NFKC');
}

const ASCII = /^[\x00-\x7f]*$/;

export function verifiedEmail(person: Person): ReturnType<typeof parseEmailAddress> {
  return person.emailVerified && person.email !== null ? parseEmailAddress(person.email) : null;
}

function isDeniedEmail(person: Person, isMeant: (address: { text: string; domain: string }) => boolean): boolean {
  if (person.email === null) return false;
  const address = parseEmailAddress(person.email);
  return address === null || isMeant(address);
}

/** In words. */
export function whyPerson(test: PersonTest, person: Person): string {
  if (person.provider !== test.provider) return `signed in by "${person.provider}", wanted "${test.provider}"`;
  if (test.kind === 'user') {
    const why = isNamed(person) ? '' : `"${person.provider}" did not say the name, so `;
    return `${why}user is "${person.name}", wanted "${test.value}"`;
  }
  if (test.kind === 'group' || test.kind === 'role') {
    const what = `${test.kind}s` as const;
    if (isCut(person, what) && !person[what].includes(test.value))
      return `the ${what} of the person are too many to be all known`;
    return person.unsaid?.includes(what) === true
      ? `"${person.provider}" did not say the ${what} of the person, wanted "${test.value}"`
      : whyNames(what, person[what], test.value);
  }
  if (test.kind === 'org' || test.kind === 'team') {
    const organisation = organisationOf(test.value);
    return isKept(person, organisation)
      ? `"${person.provider}" does not say whether the person is in "${organisation}"`
      : whyNames('organisations and teams', person.groups, test.value);
  }
  if (person.email === null) return 'the person has no e-mail address';
  if (!person.emailVerified) return `e-mail "${person.email}" is not verified`;
  if (parseEmailAddress(person.email) === null) return `e-mail ${JSON.stringify(person.email)} is not a plain address`;
  return `e-mail is "${person.email}", wanted "${test.value}"`;
}

function whyNames(what: string, names: readonly string[], wanted: string): string {
  const shown = names
    .slice(0, 20)
    .map((name) => `"${name}"`)
    .join(', ');
  const more = names.length > 20 ? ` and ${names.length - 20} more` : '';
  return `${what} are ${shown === '' ? 'none' : shown}${more}, wanted "${wanted}"`;
}
