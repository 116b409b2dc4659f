/** Whether one of somebody's groups is among those that are let in. */
import type { AuthSession } from '../auth-session.ts';

/** Exactly as written. None named: everybody. */
export function isAllowed(allowed: ReadonlySet<string>, session: AuthSession): boolean {
  return allowed.size === 0 || session.groups.some((group) => allowed.has(group));
}

/** An empty name is no restriction, as in the original. */
export function groupSet(...lists: readonly (readonly string[])[]): ReadonlySet<string> {
  return new Set(lists.flat().filter((group) => group !== ''));
}
