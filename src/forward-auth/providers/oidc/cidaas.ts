/** cidaas: groups with roles in them, made flat as `group:role`, and its own roles as `cidaas:role`. */
import type { AuthSession } from '../../auth-session.ts';
import { claimAt } from '../claims.ts';
import { isMap, isUsable, textOf, type Claims } from '../../../sign-in/oauth/json.ts';
import type { Enrichment, OidcKind } from './parts.ts';
import { readProfile } from './userinfo.ts';

export const CIDAAS: OidcKind = {
  name: 'CIDAAS',
  scope: 'openid email profile roles groups',
  asksForGroups: false,
  needsEmail: true,
  enrich,
};

async function enrich({ parts, metadata, session, claims, step }: Enrichment): Promise<AuthSession> {
  const subject = typeof claims['sub'] === 'string' ? claims['sub'] : session.user;
  const profile = step === 'bearer' ? claims : await readProfile(parts, metadata, session.accessToken, subject);
  const { emailClaim, groupsClaim } = parts.settings.oidc;
  const email = session.email === '' ? (textOf(claimAt(profile, emailClaim)) ?? '') : session.email;
  return { ...session, email, groups: flatGroups(profile, groupsClaim) };
}

export function flatGroups(profile: Claims, groupsClaim: string): readonly string[] {
  const groups = listOf(claimAt(profile, groupsClaim)).flatMap((entry) => {
    const id = isMap(entry) ? textOf(entry['groupId']) : null;
    const roles = isMap(entry) ? listOf(entry['roles']) : [];
    return id === null ? [] : namesIn(roles).map((role) => `${id}:${role}`);
  });
  const own = namesIn(listOf(profile['roles'])).map((role) => `cidaas:${role}`);
  return [...new Set([...groups, ...own])].filter(isUsable);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function namesIn(values: readonly unknown[]): readonly string[] {
  return values.filter((one) => typeof one === 'string');
}
