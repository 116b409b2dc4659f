/** `postern check --live`: what the providers of a document say to it, without a gateway and without a person. */
import type { Document } from '../config/document.ts';
import { systemClock } from '../core/clock.ts';
import type { Finding } from '../sign-in/provider.ts';
import { redirectUriOf } from '../sign-in/callback-path.ts';
import { createProviderRegistry } from '../sign-in/provider-registry.ts';

export async function* probeProviders({
  providers,
  signIn,
}: Document): AsyncGenerator<Finding & { readonly provider: string }> {
  const registry = createProviderRegistry({
    clock: systemClock,
    log: () => undefined,
    namedOrganisations: () => [],
    namedGroups: () => [],
  });
  registry.adopt(await registry.prepare(providers));
  const origin = signIn.url ?? 'https://sign-in.invalid';
  try {
    for (const provider of registry.list()) {
      const found = await provider.probe(redirectUriOf(origin, provider.id));
      for (const finding of found) yield { provider: provider.id, ...finding };
    }
  } finally {
    registry.close();
  }
}
