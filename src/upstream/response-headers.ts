/**
 * What of an app's response header a client gets to see. Hop-by-hop fields are gone when this is
 * called. Set-Cookie fields stay apart, since a cookie may hold commas.
 */
import { compileEdits, edited } from './header-edits.ts';
import type { ForwardPlan } from './plan.ts';
import type { HeaderBlock } from '../wire/header-block.ts';

/** An app on one host must not plant Postern's cookies for another, or fix a session. For interim answers too. */
export function dropOwnCookies(headers: HeaderBlock, plan: ForwardPlan): void {
  if (!headers.has('set-cookie')) return;
  headers.removeWhere((key, value) => key === 'set-cookie' && plan.isOwnCookieName(cookieName(value)));
}

export function editResponseHeaders(headers: HeaderBlock, plan: ForwardPlan): void {
  dropOwnCookies(headers, plan);
  edited(headers, plan.responseHeaders);
}

/** Whether the route changes fields of answers, whatever they hold. */
export function hasEdits(plan: ForwardPlan): boolean {
  return !compileEdits(plan.responseHeaders).isEmpty;
}

/** Browsers trim around the name. One without a name is sent back as its value alone, which may look like a pair. */
function cookieName(setCookie: string): string {
  const semicolon = setCookie.indexOf(';');
  let pair = semicolon === -1 ? setCookie : setCookie.slice(0, semicolon);
  while (pair.trimStart().startsWith('=')) pair = pair.trimStart().slice(1);
  const equals = pair.indexOf('=');
  return equals === -1 ? pair.trim() : pair.slice(0, equals).trim();
}
