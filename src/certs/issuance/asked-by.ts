/**
 * Fingerprint of all that an order depends on and an operator may mend, secrets too, none of which can be read from it.
 * Remembered: ten thousand hosts share a policy, and all of them are looked at with each certificate that comes.
 */
import { createHash } from 'node:crypto';
import type { AcmePolicy, KeyType, Wanted } from './wanted.ts';

/** What counts besides the policy. */
interface Around {
  readonly email: string | null;
  /** Of the settings of the DNS provider. */
  readonly answers: string | null;
}

export class AskedBy {
  readonly #known = new WeakMap<AcmePolicy, Map<KeyType, Around & { readonly fingerprint: string }>>();

  of({ policy, keyType }: Pick<Wanted, 'policy' | 'keyType'>, { email, answers }: Around): string {
    const ofPolicy = this.#known.get(policy) ?? new Map<KeyType, Around & { readonly fingerprint: string }>();
    const known = ofPolicy.get(keyType);
    if (known?.email === email && known.answers === answers) return known.fingerprint;
    const all = JSON.stringify([email, policy.cas, policy.challenges, keyType, answers]);
    const fingerprint = createHash('sha256').update(all).digest('base64url');
    this.#known.set(policy, ofPolicy.set(keyType, { email, answers, fingerprint }));
    return fingerprint;
  }
}
