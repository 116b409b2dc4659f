/**
 * JSON Web Tokens that a machine brings: as a bearer, or in Basic credentials as the user name (with an empty
 * password or "x-oauth-basic") or as the password. Scheme and form are compared as oauth2-proxy does. A token
 * that was found good is remembered until it expires, a minute at most; nothing else is.
 */
import { hash } from 'node:crypto';
import { decodeBasic } from '../../gate/basic.ts';
import type { Clock } from '../../core/clock.ts';
import type { AuthSession } from '../auth-session.ts';
import type { AuthProvider, ProviderAnswer } from '../ports.ts';

const JWT = /^ey[A-Za-z0-9_-]*\.ey[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$/;
const MAX_TOKEN = 16_384;
const REMEMBER_MS = 60_000;
const MAX_REMEMBERED = 2_000;

/** The token in an Authorization field; null where there is none. */
export function bearerOf(authorization: string): string | null {
  const space = authorization.indexOf(' ');
  const rest = authorization.slice(space + 1);
  if (authorization.startsWith('Bearer ')) return jwtOrNull(rest);
  if (!authorization.startsWith('Basic ')) return null;
  const pair = decodeBasic(authorization);
  if (pair === null) return null;
  const isUser = pair.password === '' || pair.password === 'x-oauth-basic';
  return (isUser ? jwtOrNull(pair.name) : null) ?? jwtOrNull(pair.password);
}

function jwtOrNull(text: string): string | null {
  return text.length <= MAX_TOKEN && JWT.test(text) ? text : null;
}

export type BearerAnswer =
  | { readonly kind: 'ok'; readonly session: AuthSession }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string };

export interface Bearers {
  readonly verify: (token: string) => BearerAnswer | Promise<BearerAnswer>;
}

export function createBearers(provider: Pick<AuthProvider, 'verifyBearer'>, clock: Clock): Bearers {
  /** By SHA-256, oldest first. */
  const remembered = new Map<string, { readonly answer: BearerAnswer; readonly until: number }>();

  async function ask(token: string, key: string): Promise<BearerAnswer> {
    let said: ProviderAnswer<AuthSession> | null;
    try {
      said = await provider.verifyBearer(token);
    } catch (error) {
      return { kind: 'unavailable', message: (error as Error).message };
    }
    if (said === null) return { kind: 'refused', message: 'the token is of no issuer that is accepted here' };
    if (said.kind !== 'ok') return said;
    const session = said.value;
    const answer: BearerAnswer = { kind: 'ok', session };
    const until = Math.min(session.expiresOn ?? 0, clock.now() + REMEMBER_MS);
    remembered.set(key, { answer, until });
    if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value as string);
    return answer;
  }

  return {
    verify(token) {
      const key = hash('sha256', token, 'base64url');
      const known = remembered.get(key);
      if (known !== undefined && clock.now() < known.until) return known.answer;
      remembered.delete(key);
      return ask(token, key);
    },
  };
}
