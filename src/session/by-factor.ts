/**
 * Which sign-ins a second factor has opened: whoever removes one that was stolen means those, too. A sign-in
 * remembers the factor that it showed; one from before that is known by its kind alone, and counts as shown.
 */
import { setImmediate } from 'node:timers/promises';
import type { Person } from '../core/person.ts';
import type { SessionStore, SignInSelector, StoredSignIn } from '../core/session-store.ts';

export interface PersonId {
  readonly provider: string;
  readonly subject: string;
}

export interface GoneFactor {
  readonly id: string;
  readonly kind: 'totp' | 'passkey';
}

export interface ByFactorDeps {
  readonly store: Pick<SessionStore, 'pageSignIns'>;
  readonly personOf: (signIn: StoredSignIn) => Person | null;
  readonly end: (selector: SignInSelector) => Promise<number>;
}

/** Stands where the id of a factor stands, for whoever showed a recovery code. */
export const RECOVERY_FACTOR = 'recovery';

/** Some 5 ms of unsealing. */
const PAGE = 100;
/** How a sign-in says what it showed (RFC 8176). */
const METHODS: Readonly<Record<GoneFactor['kind'], readonly string[]>> = { totp: ['otp'], passkey: ['hwk', 'swk'] };

export async function endByFactor(
  { store, personOf, end }: ByFactorDeps,
  person: PersonId,
  { factor, except }: { readonly factor: GoneFactor; readonly except: string },
): Promise<number> {
  let count = 0;
  let after = '';
  for (;;) {
    const page = await store.pageSignIns(person, after, PAGE);
    for (const signIn of page) {
      const shown = signIn.key === except ? null : personOf(signIn);
      if (shown !== null && hasShown(shown, factor)) count += await end({ by: 'cookie', key: signIn.key });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return count;
    after = last.key;
    await setImmediate();
  }
}

function hasShown({ factor, amr }: Person, gone: GoneFactor): boolean {
  if (factor !== undefined) return factor === gone.id;
  return METHODS[gone.kind].some((method) => amr.includes(method));
}
