/**
 * From claims to a person. What identifies is (provider, subject); everything else is an attribute. An
 * e-mail counts only if the provider verified it and is listed for its domain.
 */
import { PROVIDER_PRESETS } from '../../config/presets/providers.ts';
import type { OidcProvider } from '../../config/document/providers.ts';
import { MOST_NAMES, type Person, type Unsaid } from '../../core/person.ts';
import { parseEmailAddress } from '../../policy/email-address.ts';
import { vouchesFor } from '../../policy/provider-kinds.ts';
import { isName, readNames, readText, type Claims } from './claims.ts';

/** Core section 2: at most 255 characters. It says who somebody is, so an empty one would be everybody. */
export function isSubject(sub: unknown): sub is string {
  return typeof sub === 'string' && sub !== '' && sub.length <= 255 && !/[\u0000-\u001f\u007f-\u009f]/.test(sub);
}

export function isHosted({ hostedDomains }: OidcProvider, { hd }: Claims): boolean {
  return hostedDomains.length === 0 || hostedDomains.some((domain) => domain === hd);
}

export function notHosted({ hostedDomains }: OidcProvider): string {
  return `the account is not of ${quoted(hostedDomains)}`;
}

export interface PersonResult {
  readonly person: Person;
  readonly notes: readonly string[];
}

const unknownRoles = new WeakMap<Claims, string>();

/** A source of nothing: there may be roles that could not be asked for, and why. No claim of a provider is one. */
export function rolesUnknown(why: string): Claims {
  const source: Claims = {};
  unknownRoles.set(source, why);
  return source;
}

/**
 * `sources`: the ID token first, then whatever else the same person's claims come from. How they signed in counts only as the
 * ID token says it (`proof`; Core section 2): what userinfo passes on may be what people write about themselves.
 */
export function personFrom(
  provider: OidcProvider,
  subject: string,
  sources: readonly Claims[],
  proof: Claims = sources[0] ?? {},
): PersonResult {
  const { email, isVerified } = emailFrom(provider, sources);
  const merged: Claims = { ...(Object.assign({}, ...sources.toReversed()) as Claims), email };
  const notes: string[] = [];
  const address = email === null ? null : parseEmailAddress(email);
  const isListed = address !== null && vouchesFor(provider, address.domain);
  if (isVerified && address !== null && !isListed) {
    notes.push(
      `E-mail address of a person does not count: "${provider.id}" is not listed for "${address.domain}"; add it to "email_domains"`,
    );
  }
  const said = nameOf(provider, merged, isVerified);
  const name = said ?? subject;
  const groups = firstNames(sources, provider.groupsClaims);
  const roles = rolesIn(provider, sources);
  const unsaid: Unsaid[] = said === null && provider.userClaims.length > 0 ? ['name'] : [];
  if (groups === null && provider.groupsClaims.length > 0) unsaid.push('groups');
  if (roles === null && provider.rolesClaims.length > 0) unsaid.push('roles');
  notes.push(...notesOnName(provider, said), ...notesOnGroups(provider, sources, groups));
  if (roles === null) notes.push(...notesOnMissingRoles(provider));
  const isCut = (names: readonly string[] | null): boolean => (names?.length ?? 0) >= MOST_NAMES;
  const cut: Unsaid[] = [];
  if (isCut(groups) || areKeptBack(provider, sources)) cut.push('groups');
  const onRoles = notesOnRoles(provider, sources);
  notes.push(...onRoles);
  if (isCut(roles) || onRoles.length > 0) cut.push('roles');
  if (isCut(groups) || isCut(roles)) notes.push(TOO_MANY);
  const person: Person = {
    provider: provider.id,
    subject,
    name,
    displayName: readText(merged, ['name']) ?? name,
    email,
    emailVerified: isVerified && isListed,
    groups: groups ?? [],
    roles: roles ?? [],
    ...(unsaid.length === 0 ? {} : { unsaid }),
    ...(cut.length === 0 ? {} : { cut }),
    amr: methodsOf(provider, proof),
  };
  return { person, notes };
}

const TOO_MANY = `A person has more than ${MOST_NAMES} groups or roles: the rest does not count, and every "deny" about one matches`;

/** Of two sources that say different addresses, what one says of its own proves nothing of the other's. */
function emailFrom(
  { trustEmail, preset }: OidcProvider,
  sources: readonly Claims[],
): { readonly email: string | null; readonly isVerified: boolean } {
  const emails = sources.map(({ email }) => (typeof email === 'string' && isName(email) ? email : null));
  const email = emails.find((one) => one !== null) ?? null;
  const said = sources
    .filter((_, index) => email !== null && emails[index] === email)
    .map((one) => one['email_verified'])
    .find((one) => one !== undefined);
  const isMeant = PROVIDER_PRESETS[preset]?.verifiesEmail ?? true;
  return { email, isVerified: trustEmail || (isMeant && isTrue(said)) };
}

/**
 * What was known of somebody before, as the last source of a refresh that brought no ID token (Core section 12.2): what
 * nobody says anew stays. Not groups and roles: those count only as said now.
 */
export function saidBefore({ userClaims }: OidcProvider, person: Person): Claims {
  const { name, displayName, email, emailVerified } = person;
  return {
    name: displayName,
    ...(email === null ? {} : { email, email_verified: emailVerified }),
    ...Object.fromEntries(userClaims.slice(0, 1).map((claim) => [claim, name])),
  };
}

/** `mfa` stands for a second factor in the rules, whatever the provider calls it. */
function methodsOf({ secondFactor }: OidcProvider, claims: Claims): readonly string[] {
  const given = Array.isArray(claims['amr']) ? claims['amr'].filter((one) => typeof one === 'string') : [];
  const isShown =
    secondFactor.acr.some((one) => one === claims['acr']) || given.some((one) => secondFactor.amr.includes(one));
  const others = given.filter((one) => one !== 'mfa');
  return isShown ? [...others, 'mfa'] : others;
}

/** An address that nobody verified names nobody: whoever signs up could write it. */
function nameOf(provider: OidcProvider, claims: Claims, isVerified: boolean): string | null {
  const usable = provider.userClaims.filter((claim) => claim !== 'email' || isVerified);
  return readText(claims, usable);
}

/** The first source that has any of the paths: a later one may be older, or another view. */
export function firstNames(sources: readonly Claims[], paths: readonly string[]): readonly string[] | null {
  if (paths.length === 0) return null;
  for (const claims of sources) {
    const names = readNames(claims, paths);
    if (names !== null) return names;
  }
  return null;
}

/**
 * Where the access token counts, roles stand apart as the provider's mappers have it: those of the realm in the one, those
 * of clients in the other. They are of one answer, so all of them count: a deny may mean any.
 */
function rolesIn(
  { readsAccessToken, rolesClaims }: OidcProvider,
  sources: readonly Claims[],
): readonly string[] | null {
  if (!readsAccessToken) return firstNames(sources, rolesClaims);
  if (firstNames(sources, rolesClaims) === null) return null;
  const all = sources.flatMap((one) => readNames(one, rolesClaims) ?? []);
  return [...new Set(all)].slice(0, MOST_NAMES);
}

/** Of several places each has roles of its own, where the access token counts; else any says them all. */
export function lacksRoles({ readsAccessToken, rolesClaims }: OidcProvider, sources: readonly Claims[]): boolean {
  if (!readsAccessToken) return rolesClaims.length > 0 && firstNames(sources, rolesClaims) === null;
  return rolesClaims.some((path) => firstNames(sources, [path]) === null);
}

/** There are groups that nobody told: a deny may mean any of them. */
function areKeptBack({ groupsClaims }: OidcProvider, sources: readonly Claims[]): boolean {
  if (groupsClaims.length === 0) return false;
  const saying = sources.find((one) => readNames(one, groupsClaims) !== null);
  return saying === undefined ? sources.some(isOverage) : isOverage(saying);
}

function notesOnName({ id, userClaims }: OidcProvider, said: string | null): readonly string[] {
  if (said !== null || userClaims.length === 0) return [];
  const claims = quoted(userClaims);
  return [
    `Claim ${claims} is missing, so the person is known by the subject alone and "user:" does not match; have "${id}" send it (often by the scope "profile"), or name the claim by "user_claim" of "providers.${id}"`,
  ];
}

function notesOnGroups(
  provider: OidcProvider,
  sources: readonly Claims[],
  groups: readonly string[] | null,
): readonly string[] {
  if (provider.groupsClaims.length === 0) return [];
  if (groups !== null)
    return areKeptBack(provider, sources)
      ? [`Groups of a person are not all known: every "deny" by a group of "${provider.id}" refuses this person`]
      : [];
  if (sources.some(isOverage)) {
    const isAsked = provider.overageUrl !== null;
    const consent =
      'Microsoft Graph does not say them; have an administrator consent to its permission "User.Read", or';
    return [
      `Groups of a person are missing: "${provider.id}" leaves them out because there are too many (overage)${isAsked ? `, and ${consent}` : ';'} choose "Groups assigned to the application" for the groups claim, or use app roles`,
    ];
  }
  const what = `Claim ${namesOf(provider)} is missing, so "group:" does not match this person, who may be in no group`;
  return [`${what}; where others lack it too, ${groupsRemedy(provider)}`];
}

/** None: what is not said of roles is not there. */
export function notesOnRoles(provider: OidcProvider, sources: readonly Claims[]): readonly string[] {
  const whys = sources.flatMap((one) => unknownRoles.get(one) ?? []);
  // Those of the realm, where the ones of clients are missing (Keycloak).
  const hasSome = rolesIn(provider, sources) !== null;
  const what = hasSome ? 'not all known' : 'not known';
  const which = hasSome ? 'another role' : 'a role';
  return whys.map(
    (why) =>
      `Roles of a person are ${what}: ${why}; no rule by ${which} of "${provider.id}" lets this person in, and every "deny" by one refuses`,
  );
}

/** A claim that the document names, or that the provider sends of everybody as it comes, is missed; others may have none. */
function notesOnMissingRoles({ id, preset, rolesClaims }: OidcProvider): readonly string[] {
  const known = PROVIDER_PRESETS[preset];
  const isOwn = rolesClaims.join() !== known?.rolesClaims.join();
  const remedy = known?.rolesRemedy ?? null;
  if (rolesClaims.length === 0 || (!isOwn && remedy === null)) return [];
  const what = `Claim ${quoted(rolesClaims)} is missing, so "role:" does not match this person, who may have none`;
  const said = isOwn || remedy === null ? `have "${id}" send it` : remedy;
  return [`${what}; where others lack it too, ${said}, or name the claim by "roles_claim" of "providers.${id}"`];
}

/** What to change for the provider to say the groups, or for us to find them. */
export function groupsRemedy({ id, preset, groupsClaims }: OidcProvider): string {
  const own = PROVIDER_PRESETS[preset]?.groupsRemedy ?? null;
  const said = own === null || groupsClaims[0] !== 'groups' ? `have "${id}" send it` : own;
  return `${said}, or name the claim by "groups_claim" of "providers.${id}"`;
}

export function namesOf({ groupsClaims }: OidcProvider): string {
  return quoted(groupsClaims);
}

function quoted(claims: readonly string[]): string {
  return claims.map((claim) => `"${claim}"`).join(' or ');
}

/** Entra ID: more than 200 groups, and only a pointer to them (`_claim_names`, or `hasgroups`). */
export function isOverage(claims: Claims): boolean {
  const names = claims['_claim_names'];
  return (typeof names === 'object' && names !== null && 'groups' in names) || claims['hasgroups'] === true;
}

/** Some providers write it as text. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}
