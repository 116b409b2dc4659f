import type { Provider } from '../config/document/providers.ts';

/** What sessions of a provider are bound to; see Provider.authority. */
export function authorityOf(provider: Provider): string {
  if (provider.type === 'oidc') return provider.issuer;
  return provider.type === 'github' ? provider.url : '';
}
