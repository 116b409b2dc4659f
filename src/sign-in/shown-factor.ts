/** The second factor that a sign-in has shown: removed while the session is being opened, it opens none. */
import { RECOVERY_FACTOR } from '../session/by-factor.ts';
import type { ShownFactor } from '../session/accounts.ts';
import type { SignInFactors } from './ports.ts';

export function shownFactor(factors: Pick<SignInFactors, 'overview'>, subject: string, id: string): ShownFactor {
  return {
    id,
    isThere: async () => (await factors.overview(subject)).factors.some((one) => one.id === id),
  };
}

/** It stands for no factor that could be removed. */
export const SHOWN_RECOVERY: ShownFactor = { id: RECOVERY_FACTOR, isThere: () => Promise.resolve(true) };
