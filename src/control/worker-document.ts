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

/** Some route asks for tokens of the provider: only then do workers hold any. */
export function passesTokens(document: Document): boolean {
  let answer = passing.get(document);
  if (answer === undefined) {
    const { hosts, fallback } = document;
    const all = fallback === null ? hosts : [...hosts, fallback];
    answer = all.some(({ routes }) => routes.some(({ identityHeaders }) => identityHeaders.tokens.length > 0));
    passing.set(document, answer);
  }
  return answer;
}

const passing = new WeakMap<Document, boolean>();
