/** Which way somebody signed in the last time in this browser, so that they are not asked again. A name, never an identity. */
import { hostCookie, onlyCookie, purposeName } from './cookies.ts';
import type { Context } from './context.ts';

const REMEMBER_MS = 180 * 86_400_000;

/** The cookie for the answer that signs somebody in. */
export function rememberWay(context: Context, way: string): string {
  return hostCookie(nameOf(context), way, context.url.isSecure, REMEMBER_MS);
}

export function rememberedWay(context: Context): string | null {
  return onlyCookie(context.request, nameOf(context));
}

function nameOf({ deps, url }: Context): string {
  return purposeName(deps.instance, 'provider', url.isSecure);
}
