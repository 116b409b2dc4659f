/**
 * `/.postern/userinfo`: who is signed in here, as JSON for the app's own page. 401 JSON without a
 * session. Never a token, never a session key.
 */
import { LINK_PROVIDER } from '../core/person.ts';
import { toldName } from '../policy/person-match.ts';
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
  // A link that is called as a person must not be taken for that person: as in what apps are told, "link:guest".
  const isLink = person.provider === LINK_PROVIDER;
  const body = {
    provider: person.provider,
    sub: isLink ? person.displayName : person.subject,
    name: isLink ? person.displayName : toldName(person),
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
