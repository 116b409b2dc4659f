/**
 * The 401 for requests that a redirect would not help: fetch, XHR, POST, WebSocket. A program reads
 * where to send the person, and what the session lacks where there is one. RFC 9110 section 15.5.2 wants
 * a challenge: ours has a scheme of its own, so that no browser opens a password box; its parameters are
 * those of RFC 9470.
 */
import type { StepUp } from '../policy/facts.ts';
import { plainHeaders } from './pages/error-page.ts';
import type { PlainAnswer } from './pages/page.ts';

const INSUFFICIENT = 'insufficient_user_authentication';

/** `signInUrl` is on the app's own host: `https://app.example.com/.postern/start`. */
export function unauthorizedJson(requestId: string, signInUrl: string, needs: StepUp | null = null): PlainAnswer {
  const told =
    needs === null
      ? { error: 'sign_in_required' }
      : {
          error: INSUFFICIENT,
          ...(needs.secondFactor ? { second_factor: true } : {}),
          ...(needs.acr.length === 0 ? {} : { acr_values: needs.acr.join(' ') }),
          ...(needs.maxAgeMs === null ? {} : { max_age: secondsOf(needs.maxAgeMs) }),
        };
  const body = `${JSON.stringify({ ...told, sign_in_url: signInUrl, request_id: requestId })}\n`;
  const challenge = `Postern realm="sign-in"${needs === null ? '' : `, ${stepUpParameters(needs)}`}`;
  return { status: 401, headers: [...plainHeaders(true), ['WWW-Authenticate', challenge]], body };
}

const EXPIRED = 'provider_token_expired';

/** Somebody is signed in, but the token of their provider that the app needs has ended: only another sign-in brings one. */
export function expiredTokenJson(requestId: string, signInUrl: string): PlainAnswer {
  const body = `${JSON.stringify({ error: EXPIRED, sign_in_url: signInUrl, request_id: requestId })}\n`;
  const challenge = `Postern realm="sign-in", error="${EXPIRED}"`;
  return { status: 401, headers: [...plainHeaders(true), ['WWW-Authenticate', challenge]], body };
}

/** RFC 9470 section 3. */
export function stepUpParameters({ acr, maxAgeMs }: StepUp): string {
  const parts = [
    `error="${INSUFFICIENT}"`,
    ...(acr.length === 0 ? [] : [`acr_values="${acr.join(' ').replaceAll(/["\\]/g, '\\$&')}"`]),
    ...(maxAgeMs === null ? [] : [`max_age="${secondsOf(maxAgeMs)}"`]),
  ];
  return parts.join(', ');
}

function secondsOf(ms: number): number {
  return Math.floor(ms / 1_000);
}
