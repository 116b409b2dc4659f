/**
 * `/.postern/userinfo`: who is signed in here, as JSON for the app's own page. 401 JSON without a
 * session. Never a token, never a session key.
 */
import { toResponse, type Context } from './context.ts';
import { plainHeaders } from './pages/error-page.ts';
import { unauthorizedJson } from './unauthorized.ts';

export function showUserinfo(context: Context): Response {
  const { request, url, now } = context;
  if (request.session === null) {
    const start = request.onSignInHost ? '/.postern/sign-in' : '/.postern/start';
    return toResponse(unauthorizedJson(request.requestId, url.origin + start));
  }
  const { person, expiresAt } = request.session;
  const body = {
    provider: person.provider,
    sub: person.subject,
    name: person.name,
    display_name: person.displayName,
    email: person.email,
    email_verified: person.emailVerified,
    groups: person.groups,
    roles: person.roles,
    amr: person.amr,
    expires_at: new Date(expiresAt).toISOString(),
    expires_in: Math.max(0, Math.floor((expiresAt - now) / 1_000)),
  };
  return toResponse({ status: 200, headers: plainHeaders(true), body: `${JSON.stringify(body)}\n` });
}
