/**
 * The document as edge workers get it. They face strangers: no key or token for a CA, a DNS provider or a
 * directory goes there, nor what Postern proves itself to a sign-in provider with.
 */
import type { Document } from '../config/document.ts';
import type { Provider } from '../config/document/providers.ts';

export function withoutSecrets(document: Document): Document {
  return { ...document, providers: document.providers.map(strip), acme: null, dns: [] };
}

function strip(provider: Provider): Provider {
  switch (provider.type) {
    case 'local':
      return provider;
    case 'github':
      return { ...provider, clientSecret: '' };
    default:
      return { ...provider, clientSecret: '', directory: null };
  }
}
