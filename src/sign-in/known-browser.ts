/**
 * A browser in which somebody has signed in by a provider: a sealed number that nobody else has, so that what others do
 * behind the same address holds it up no more. It says nothing of who that was, and opens nothing.
 */
import { addressBucket, addressNetwork } from '../session/address-bucket.ts';
import { mintToken } from '../session/token.ts';
import { hostCookie, onlyCookie, purposeName } from './cookies.ts';
import type { Comer } from './callback-limit.ts';
import type { Context } from './context.ts';

const REMEMBER_MS = 180 * 86_400_000;
const PURPOSE = 'known-browser';

/** The cookie for the answer that signs somebody in: a new number each time, since each costs a sign-in. */
export function rememberBrowser(context: Context): string {
  const { deps, url, now } = context;
  return hostCookie(nameOf(context), deps.seal.seal(PURPOSE, [mintToken(), now]), url.isSecure, REMEMBER_MS);
}

/** Whose limits count: the browser's own, or those of its address. */
export function whoComes(context: Context): Comer {
  const sealed = onlyCookie(context.request, nameOf(context));
  const fields = sealed === null ? undefined : context.deps.seal.unseal(PURPOSE, sealed);
  const [number, at] = Array.isArray(fields) ? (fields as unknown[]) : [];
  const isKnown = typeof number === 'string' && typeof at === 'number' && context.now - at < REMEMBER_MS;
  if (isKnown) return { who: `browser ${number}`, network: null, isKnown };
  const { ip } = context.request;
  return { who: `address ${addressBucket(ip)}`, network: addressNetwork(ip), isKnown };
}

function nameOf({ deps, url }: Context): string {
  return purposeName(deps.instance, 'known', url.isSecure);
}
