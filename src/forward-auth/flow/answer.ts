/** Answers of the flow: never cached anywhere, with the fields that oauth2-proxy sends for that. */
import { HeaderBlock } from '../../wire/header-block.ts';
import type { PlainAnswer } from '../../sign-in/pages/page.ts';
import type { FrontRequest } from '../front-request.ts';

const NO_CACHE: readonly (readonly [name: string, value: string])[] = [
  ['Cache-Control', 'no-cache, no-store, must-revalidate, max-age=0'],
  ['Expires', 'Thu, 01 Jan 1970 00:00:00 UTC'],
  ['X-Accel-Expires', '0'],
];

export function sendRedirect(request: FrontRequest, location: string, cookies: readonly string[]): void {
  const headers = noCacheHeaders();
  headers.append('Location', location);
  addCookies(headers, cookies);
  request.exchange.respondWhole({ status: 302, headers }, '');
}

export function sendAnswer(request: FrontRequest, answer: PlainAnswer, cookies: readonly string[]): void {
  const headers = noCacheHeaders();
  for (const [name, value] of answer.headers) if (name !== 'Cache-Control') headers.append(name, value);
  addCookies(headers, cookies);
  request.exchange.respondWhole({ status: answer.status, headers }, answer.body);
}

function noCacheHeaders(): HeaderBlock {
  const headers = new HeaderBlock();
  for (const [name, value] of NO_CACHE) headers.append(name, value);
  return headers;
}

function addCookies(headers: HeaderBlock, cookies: readonly string[]): void {
  for (const cookie of cookies) headers.append('Set-Cookie', cookie);
}
