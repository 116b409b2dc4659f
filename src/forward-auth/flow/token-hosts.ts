/**
 * Who may be handed an ID token by `rd` of a sign-out: the provider, the visitor's own host, and hosts that the
 * whitelist names one by one. Not whatever stands below ".example.com": one of those hosts could send people to
 * sign out with its own address, and an ID token opens doors elsewhere (`skip-jwt-bearer-tokens`).
 */
import type { FrontRequest } from '../front-request.ts';
import type { FlowContext } from './context.ts';
import { createDomainList } from './domain-list.ts';

export async function mayTakeIdToken(context: FlowContext, request: FrontRequest, redirect: string): Promise<boolean> {
  const url = redirect.startsWith('/') ? null : URL.parse(redirect);
  if (url === null || url.host === request.authority) return true;
  const { provider, redirects } = context.settings;
  const named = createDomainList(redirects.whitelist.filter((entry) => !/^\s*(?:\*\.|\.)/.test(entry)));
  const defaultPort = url.protocol === 'https:' ? 443 : 80;
  if (named.has(url.hostname, url.port === '' ? null : Number(url.port), defaultPort)) return true;
  const known = [provider.oidc.issuer, provider.loginUrl, provider.backendLogoutUrl, provider.profileUrl];
  return [...known, await loginAddress(context)].some((text) => text !== null && URL.parse(text)?.host === url.host);
}

/** Where the provider has people sign in is where it has them sign out. */
async function loginAddress({ provider }: FlowContext): Promise<string | null> {
  const wish = { redirectUri: '', state: '', nonce: null, codeChallenge: null, overrides: new URLSearchParams() };
  const answer = await provider.loginUrl(wish);
  return answer.kind === 'ok' ? answer.value : null;
}
