/** The sign-in session of this browser on the sign-in host, and the cookie that carries one. */
import { sessionCookie, sessionTraits } from './cookies.ts';
import type { Context } from './context.ts';
import type { FreshSession, SessionFacts } from './ports.ts';

/** The gate's session counts here only if it is a sign-in session of this very host. */
export function signInSession(context: Context): SessionFacts | null {
  const { session } = context.request;
  return session !== null && session.key === session.parent && session.host === context.url.host ? session : null;
}

export function signInCookie(context: Context, opened: FreshSession): string {
  const { deps, url, settings, now } = context;
  const traits = sessionTraits(url.host, url.isSecure, settings.cookieDomain);
  return sessionCookie(deps.instance, traits, opened.token, opened.view.expiresAt - now);
}
