/** No provider: people come by the password file alone. Nobody can begin a sign-in elsewhere, or come back from one. */
import { groupSet, isAllowed } from './groups.ts';
import type { AuthProvider, ProviderAnswer } from '../ports.ts';
import type { ProviderSettings } from '../settings.ts';
import type { AuthProviderDeps } from './deps.ts';

const REFUSED: ProviderAnswer<never> = { kind: 'refused', message: 'There is no provider: people sign in by password' };

export function createNoProvider(_settings: ProviderSettings, { allowedGroups }: AuthProviderDeps): AuthProvider {
  const allowed = groupSet(allowedGroups);
  return {
    displayName: '',
    isReady: () => true,
    codeChallengeMethod: () => null,
    usesNonce: false,
    loginUrl: () => Promise.resolve(REFUSED),
    redeem: () => Promise.resolve(REFUSED),
    refresh: () => Promise.resolve({ kind: 'ok', value: null }),
    validate: () => Promise.resolve({ kind: 'ok', value: true }),
    // A session of a provider that was taken out since is nobody's.
    authorizes: (session) => session.via === 'htpasswd' && isAllowed(allowed, session),
    verifyBearer: () => Promise.resolve(null),
    close: () => undefined,
  };
}
