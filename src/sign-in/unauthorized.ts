/**
 * The 401 for requests that a redirect would not help: fetch, XHR, POST, WebSocket. A program reads
 * where to send the person. RFC 9110 section 15.5.2 wants a challenge: ours has a scheme of its own,
 * so that no browser opens a password box.
 */
import { plainHeaders } from './pages/error-page.ts';
import type { PlainAnswer } from './pages/page.ts';

/** `signInUrl` is on the app's own host: `https://app.example.com/.postern/start`. */
export function unauthorizedJson(requestId: string, signInUrl: string): PlainAnswer {
  const body = `${JSON.stringify({ error: 'sign_in_required', sign_in_url: signInUrl, request_id: requestId })}\n`;
  return { status: 401, headers: [...plainHeaders(true), ['WWW-Authenticate', 'Postern realm="sign-in"']], body };
}
