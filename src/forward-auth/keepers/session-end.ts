import type { AuthSession } from '../auth-session.ts';

/** `cookie-expire` 0: until the browser closes, which nobody tells us; so long at most. */
export const UNLIMITED_MS: number = 30 * 24 * 3_600_000;

/** When a session is over, whoever keeps it. A refresh sets `createdAt` anew. */
export function endOf(session: AuthSession, expireMs: number): number {
  return session.createdAt + (expireMs === 0 ? UNLIMITED_MS : expireMs);
}
