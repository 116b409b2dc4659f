/**
 * Builds the identity that `postern explain --as` and the document's `tests` name: "anonymous",
 * "alice", "local:user:alice", "service:promtail", "token:ci", "email:alice@example.com" (taken as verified).
 * Nobody is looked up: what rules see is what is written.
 */
import type { Identity, Person } from '../core/person.ts';
import { ANONYMOUS } from '../policy/facts.ts';
import { parsePrincipal, type ProviderRef } from '../policy/principal.ts';

export type IdentityResult =
  | { readonly kind: 'identity'; readonly identity: Identity }
  | { readonly kind: 'refused'; readonly message: string; readonly remedy: string | null };

export interface Belonging {
  readonly groups: readonly string[];
  readonly roles?: readonly string[];
}

/** Reads who is meant. Groups and roles apply to persons only. */
export function parseIdentity(
  as: string,
  { groups, roles = [] }: Belonging,
  providers: readonly ProviderRef[],
): IdentityResult {
  const isAlone = groups.length + roles.length === 0;
  if (as === 'anonymous') return isAlone ? { kind: 'identity', identity: ANONYMOUS } : withoutGroups(as);
  const text = /^[^:]+$/.test(as) ? `user:${as}` : as;
  const { principal, diagnostics } = parsePrincipal(text, [], { providers, services: null });
  const problem = diagnostics[0];
  if (problem !== undefined) return { kind: 'refused', message: problem.message, remedy: problem.remedy };
  if (principal.kind === 'service' || principal.kind === 'token') {
    return isAlone
      ? { kind: 'identity', identity: { kind: principal.kind, name: principal.value } }
      : withoutGroups(as);
  }
  if (principal.kind === 'link' && principal.value !== null) {
    const { value: name } = principal;
    if (!isAlone) return withoutGroups(as);
    return { kind: 'identity', identity: { kind: 'link', name, place: 'anywhere' } };
  }
  if (principal.kind !== 'user' && principal.kind !== 'email') {
    const remedy = 'Write "anonymous", "alice", "local:user:alice", "service:promtail", "token:ci" or "link:report"';
    return { kind: 'refused', message: `Identity "${as}" is not one person or machine`, remedy };
  }
  const email = principal.kind === 'email' ? principal.value : null;
  return {
    kind: 'identity',
    identity: { kind: 'person', person: personOf(principal.provider, principal.value, { email, groups, roles }) },
  };
}

function personOf(
  provider: string,
  name: string,
  attributes: { email: string | null; groups: readonly string[]; roles: readonly string[] },
): Person {
  const { email, groups, roles } = attributes;
  return {
    provider,
    subject: name,
    name,
    displayName: name,
    email,
    emailVerified: email !== null,
    groups,
    roles,
    amr: [],
  };
}

function withoutGroups(as: string): IdentityResult {
  return {
    kind: 'refused',
    message: `Identity "${as}" cannot have groups or roles: it is not a person`,
    remedy: 'Remove "groups" and "roles"',
  };
}
