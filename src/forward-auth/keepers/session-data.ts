/** A session as it is kept: plain JSON without what is empty, so that a cookie stays small. Strict when it is read back. */
import { NO_SESSION } from '../auth-session.ts';
import type { AuthSession } from '../auth-session.ts';

const TEXTS = [
  'user',
  'email',
  'preferredUsername',
  'accessToken',
  'idToken',
  'refreshToken',
  'nonce',
  'providerSession',
] as const;

/** `minimal`: without the tokens, which are most of it. */
export function sessionToData(session: AuthSession, minimal = false): Record<string, unknown> {
  const kept = minimal ? { ...session, accessToken: '', idToken: '', refreshToken: '' } : session;
  return Object.fromEntries(
    Object.entries(kept).filter(([name, value]) => !isDefault(name as keyof AuthSession, value)),
  );
}

function isDefault(name: keyof AuthSession, value: unknown): boolean {
  return value === NO_SESSION[name] || JSON.stringify(value) === JSON.stringify(NO_SESSION[name]);
}

/** Null for what no version of ours has kept. */
export function sessionFromData(data: unknown): AuthSession | null {
  if (!isObject(data)) return null;
  const session = { ...NO_SESSION, ...data } as AuthSession;
  const { createdAt, expiresOn, groups, claims, via } = session as unknown as Record<keyof AuthSession, unknown>;
  const isSound =
    isTime(createdAt) &&
    (expiresOn === null || isTime(expiresOn)) &&
    Array.isArray(groups) &&
    groups.every((group) => typeof group === 'string') &&
    isObject(claims) &&
    (via === 'provider' || via === 'htpasswd') &&
    TEXTS.every((name) => typeof session[name] === 'string');
  return isSound ? session : null;
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** About how much memory it takes. */
export function sizeOfSession(session: AuthSession): number {
  const { accessToken, idToken, refreshToken, groups, claims } = session;
  const lists = groups.length + Object.keys(claims).length;
  const texts = groups.reduce((sum, group) => sum + group.length, 0);
  return 700 + accessToken.length + idToken.length + refreshToken.length + texts + 48 * lists;
}
