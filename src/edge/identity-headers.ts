/**
 * What an app learns about the visitor, under the names that its route gives. Values are made once for a
 * person, a way of naming and an audience, and kept with the person; only a signed assertion is made anew,
 * before it is too old. An e-mail counts only if it was verified. Text stays text here: whoever writes the
 * field encodes it, and control characters never go out.
 */
import type { IdentityField, IdentityHeaders as Naming } from '../config/document/identity-headers.ts';
import type { Identity, Person } from '../core/person.ts';
import { isNamed } from '../policy/person-match.ts';

export type IdentityHeaders = readonly (readonly [name: string, value: string])[];

export interface AssertionWish {
  readonly identity: Exclude<Identity, { kind: 'anonymous' }>;
  readonly audience: string;
  /** Origin of the host that it is for. */
  readonly origin: string;
  /** Of what the visitor rides on: no assertion outlives it. */
  readonly expiresAt: number;
}

/** A signed assertion and when the next one is due; null where none can be signed. */
export interface SignAssertion {
  (wish: AssertionWish): { readonly token: string; readonly renewAt: number } | null;
  /** Another one where another key signs: what the one before has signed is not used any more. */
  readonly signer: () => unknown;
}

export interface IdentityHeadersDeps {
  readonly sign: SignAssertion;
  readonly now: () => number;
}

export interface Seen {
  readonly identity: Identity;
  /** Origin of the host: the audience of assertions, where the route names none. */
  readonly origin: string;
  readonly expiresAt: number;
  /**
   * People of several providers come to the app, so names and groups carry theirs ("keycloak:alice"):
   * alice of two providers are two people.
   */
  readonly isQualified: boolean;
  /** Of the document: a qualified name begins with the id of one. */
  readonly providers: readonly { readonly id: string }[];
}

export type MakeIdentityHeaders = (naming: Naming, seen: Seen) => IdentityHeaders;

const NOBODY: IdentityHeaders = [];
/** A wildcard host has as many origins as visitors like. */
const MOST_AUDIENCES = 32;

interface Kept {
  readonly headers: IdentityHeaders;
  readonly renewAt: number;
  readonly signer: unknown;
  /** When what it was made for ends: one person's sessions share what is kept, and none may hand on a longer one. */
  readonly endsAt: number;
}

/** By audience, with a mark before it where names are qualified; "" where nothing is signed. */
type KeptByAudience = Map<string, Kept>;

export function createIdentityHeaders(deps: IdentityHeadersDeps): MakeIdentityHeaders {
  const byNaming = new WeakMap<Naming, (seen: Seen) => IdentityHeaders>();
  return (naming, seen) => {
    if (seen.identity.kind === 'anonymous' || naming.fields.length === 0) return NOBODY;
    let make = byNaming.get(naming);
    if (make === undefined) byNaming.set(naming, (make = createMaker(naming, deps)));
    return make(seen);
  };
}

function createMaker(naming: Naming, deps: IdentityHeadersDeps): (seen: Seen) => IdentityHeaders {
  const hasAssertion = naming.fields.some(({ value }) => value === 'assertion');
  const ofPerson = new WeakMap<Person, KeptByAudience>();
  const ofMachine = new Map<string, KeptByAudience>();
  const keptFor = (identity: AssertionWish['identity']): KeptByAudience => {
    const isPerson = identity.kind === 'person';
    const name = isPerson ? '' : `${identity.kind}:${identity.name}`;
    const known = isPerson ? ofPerson.get(identity.person) : ofMachine.get(name);
    if (known !== undefined) return known;
    const fresh: KeptByAudience = new Map();
    if (isPerson) ofPerson.set(identity.person, fresh);
    else ofMachine.set(name, fresh);
    return fresh;
  };
  return ({ identity, origin, expiresAt, isQualified, providers }) => {
    if (identity.kind === 'anonymous') return NOBODY;
    const kept = keptFor(identity);
    const audience = hasAssertion ? (naming.audience ?? origin) : '';
    const key = isQualified ? `: ${audience}` : audience;
    const known = kept.get(key);
    const signer = hasAssertion ? deps.sign.signer() : null;
    const isSignedStill = known !== undefined && deps.now() < known.renewAt && known.signer === signer;
    const isFresh = !hasAssertion || (isSignedStill && known.endsAt <= expiresAt);
    if (known !== undefined && isFresh) return known.headers;
    const signed = hasAssertion ? deps.sign({ identity, audience, origin, expiresAt }) : null;
    const told = { identity, isQualified, providers };
    const headers = describe(naming, told, signed?.token ?? null);
    if (kept.size >= MOST_AUDIENCES) kept.clear();
    kept.set(key, { headers, renewAt: signed?.renewAt ?? 0, signer, endsAt: expiresAt });
    return headers;
  };
}

interface Told {
  readonly identity: AssertionWish['identity'];
  readonly isQualified: boolean;
  readonly providers: Seen['providers'];
}

function describe(naming: Naming, told: Told, assertion: string | null): IdentityHeaders {
  return naming.fields.flatMap(({ name, value }) => {
    if (value === 'assertion') return assertion === null ? [] : [[name, assertion] as const];
    return valuesOf(value, naming, told).flatMap((text) => (text === '' ? [] : [[name, text] as const]));
  });
}

/** None where there is nothing to say: a field without a value is not sent. */
function valuesOf(
  value: Exclude<IdentityField['value'], 'assertion'>,
  { groupsEncoding }: Naming,
  told: Told,
): readonly string[] {
  const { identity } = told;
  if (value === 'subject') return [subjectOf(identity)];
  // A link named as a person must not be taken for that person.
  if (identity.kind === 'link') return value === 'user' ? [subjectOf(identity)] : [];
  if (identity.kind !== 'person') return value === 'user' ? [identity.name] : [];
  const { person } = identity;
  const named = (name: string): string => (isToQualify(name, told) ? `${person.provider}:${name}` : name);
  switch (value) {
    case 'user':
    case 'preferred_username':
      return [isNamed(person) ? named(person.name) : subjectOf(identity)];
    case 'name':
      return [person.displayName];
    case 'email':
      return person.email !== null && person.emailVerified ? [person.email] : [];
    case 'groups':
      return encode(person.groups.map(named), groupsEncoding);
    case 'roles':
      return encode(person.roles.map(named), groupsEncoding);
    default:
      return [person.provider];
  }
}

/** A plain name that reads as another provider's, or as a link's, must not be taken for one: somebody may be called "gitlab:bob". */
function isToQualify(name: string, { isQualified, providers }: Told): boolean {
  if (isQualified) return true;
  const colon = name.indexOf(':');
  const head = name.slice(0, Math.max(0, colon));
  return head === 'link' || providers.some(({ id }) => id === head);
}

/** Who it is, for good: names may change and be given to others. */
export function subjectOf(identity: AssertionWish['identity']): string {
  return identity.kind === 'person'
    ? `${identity.person.provider}:${identity.person.subject}`
    : `${identity.kind}:${identity.name}`;
}

function encode(names: readonly string[], encoding: Naming['groupsEncoding']): readonly string[] {
  if (names.length === 0) return [];
  if (encoding === 'json') return [toAsciiJson(names)];
  // A comma in a name would make one group look like two: programs join repeated fields by it, too (RFC 9110 section 5.3).
  const whole = names.filter((name) => !name.includes(','));
  return encoding === 'repeated' ? whole : [whole.join(',')];
}

/** Field values are bytes to many apps: with escapes there is one reading. */
function toAsciiJson(names: readonly string[]): string {
  return JSON.stringify(names).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
