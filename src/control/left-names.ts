/**
 * A provider that is called otherwise in the document by now. Logins belong to whom had them first, by the key of the
 * provider: under a new key nobody has any, and whoever registered one that was given up would count as its owner.
 */
import { PROVIDER_PRESETS } from '../config/presets/providers.ts';
import { GITHUB } from '../sign-in/admission.ts';
import { authorityOf } from './provider-authority.ts';
import type { Provider } from '../config/document/providers.ts';
import type { NameCount } from '../session/grants.ts';

/** One for each key that was left; told until somebody has signed in by the new one. */
export function leftNameWarnings(providers: readonly Provider[], counts: readonly NameCount[]): readonly string[] {
  const ids = new Set(providers.map(({ id }) => id));
  const known = new Set(counts.map(({ provider }) => provider));
  const fresh = providers.filter((one) => pinsNames(one) && !known.has(one.id));
  return counts.flatMap(({ provider: left, at, names }) => {
    const now = ids.has(left) ? undefined : fresh.find((one) => authorityOf(one) === (at === '' ? GITHUB : at))?.id;
    if (now === undefined) return [];
    const who = names === 1 ? 'one name' : `${names} names`;
    return [
      `Provider "${now}" begins without the ${who} that "${left}" of the same server had, and "${left}" is not in the document: whoever has taken over a login, or an organisation, that was given up counts as its owner; if it is the same provider, call it "${left}" again, in rules, too`,
    ];
  });
}

function pinsNames(provider: Provider): boolean {
  if (provider.type === 'github') return true;
  return provider.type === 'oidc' && PROVIDER_PRESETS[provider.preset]?.pinsNames === true;
}
