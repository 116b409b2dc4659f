/**
 * `https://app.example.org./`: one host for the rules and the provider, and another one for the browser, which keeps
 * cookies of the two apart. The provider sends people back to the name without the dot, where nothing of a sign-in
 * that was begun with it is known; so they are led there before it begins. The original leads them to a `redirect_uri` with the dot.
 */
import { printAuthority } from '../../wire/authority.ts';
import type { FrontRequest } from '../front-request.ts';
import type { FlowContext } from './context.ts';

/** Says that the visitor was led once: a proxy in front that writes the dot itself leads nobody in a circle. */
const LED = 'dot';

/** Where the sign-in begins instead; null: here. `query`: what else the endpoint was asked with. */
export function startWithoutDot(
  { settings }: Pick<FlowContext, 'settings'>,
  request: FrontRequest,
  redirect: string,
  query: URLSearchParams,
): string | null {
  const { headers, host, port } = request.exchange.request;
  // Where a front names the host, it is that one which the browser has.
  const isOwn = request.authority === printAuthority(host, port);
  if (!isOwn || query.get(LED) === '0' || !/\.(?::\d*)?$/.test(headers.get('host') ?? '')) return null;
  return startAt(settings, request, request.authority, { redirect, query });
}

/**
 * In place of an app, of which a front asks under an address of its own: where the sign-in begins instead, if the
 * name that the front says ends in a dot. The endpoints themselves take such a name for none, and are asked by the
 * browser under theirs.
 */
export function startAtDotless(
  { settings }: Pick<FlowContext, 'settings'>,
  request: FrontRequest,
  redirect: string,
): string | null {
  const { dotless } = request;
  return dotless === null ? null : startAt(settings, request, dotless, { redirect, query: new URLSearchParams() });
}

// oxlint-disable-next-line max-params -- the parts of an address
function startAt(
  { cookie, paths }: FlowContext['settings'],
  request: FrontRequest,
  authority: string,
  { redirect, query }: { readonly redirect: string; readonly query: URLSearchParams },
): string {
  const rest = new URLSearchParams(query);
  rest.set('rd', redirect);
  rest.set(LED, '0');
  // As the address of the callback has it.
  const scheme = cookie.secure ? 'https' : request.scheme;
  return `${scheme}://${authority}${paths.prefix}/start?${rest}`;
}
