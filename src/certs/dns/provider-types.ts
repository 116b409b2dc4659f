/** The types of DNS providers, loaded by the first question: most documents have none, and there are many. */
import { createRequire } from 'node:module';
import type { AnyProviderType } from './provider-type.ts';

/** The sources in development, JavaScript in the package. */
const CATALOG = import.meta.url.endsWith('.ts') ? './catalog.ts' : './catalog.js';

let known: readonly AnyProviderType[] | null = null;

/** At once, since a document is read in one go. */
export function providerTypes(): readonly AnyProviderType[] {
  if (known === null) {
    const catalog = createRequire(import.meta.url)(CATALOG) as typeof import('./catalog.ts');
    known = catalog.PROVIDER_TYPES;
  }
  return known;
}
