/**
 * Header fields made of a session: claims and fixed values, as the settings want them. A claim without a
 * value makes no field; several values are one field, with commas. Values are text: whoever sends them makes
 * them bytes that cannot begin a second field (`fieldValue`).
 */
import type { AuthSession } from '../auth-session.ts';
import type { HeaderInjection, HeaderValue } from '../settings.ts';

export type Field = readonly [name: string, value: string];

/** Fields in the order of the settings, each name once. `session` null: only fixed values. */
export function claimFields(injections: readonly HeaderInjection[], session: AuthSession | null): Field[] {
  const fields: Field[] = [];
  for (const { name, values } of injections) {
    const texts = values.flatMap((value) => textsOf(value, session)).filter((text) => text !== '');
    if (texts.length > 0) fields.push([name, texts.join(',')]);
  }
  return fields;
}

function textsOf(value: HeaderValue, session: AuthSession | null): readonly string[] {
  if (value.kind === 'fixed') return [value.value.read().toString('utf8')];
  if (session === null) return [];
  const claims = claimOf(session, value.claim).filter((text) => text !== '');
  const { basicPassword, prefix } = value;
  if (basicPassword === null) return claims.map((text) => prefix + text);
  const password = basicPassword.read().toString('utf8');
  return claims.map((text) => `Basic ${Buffer.from(`${text}:${password}`).toString('base64')}`);
}

function claimOf(session: AuthSession, claim: string): readonly string[] {
  switch (claim) {
    case 'access_token':
      return [session.accessToken];
    case 'id_token':
      return [session.idToken];
    case 'refresh_token':
      return [session.refreshToken];
    case 'created_at':
      return [timeText(session.createdAt)];
    case 'expires_on':
      return session.expiresOn === null ? [] : [timeText(session.expiresOn)];
    case 'email':
      return [session.email];
    case 'user':
      return [session.user];
    case 'groups':
      return session.groups;
    case 'preferred_username':
      return [session.preferredUsername];
    default:
      return Object.hasOwn(session.claims, claim) ? additionalTexts(session.claims[claim]) : [];
  }
}

function additionalTexts(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(additionalTexts);
  if (typeof value === 'string') return [value];
  return value === null || value === undefined ? [] : [JSON.stringify(value)];
}

/** As Go prints a time: "2026-11-26 14:05:09.5 +0000 UTC". */
function timeText(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T');
  return `${date} ${time.replace(/\.?0*Z$/, '')} +0000 UTC`;
}
