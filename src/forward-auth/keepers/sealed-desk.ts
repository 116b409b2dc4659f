/**
 * `postern sessions` where sessions are in cookies: this process lists those that it has seen, and refuses what is
 * revoked whether it has seen it or not.
 */
import { listedPerson } from './listed-person.ts';
import { ANY_HOST } from './session-desk.ts';
import type { Clock } from '../../core/clock.ts';
import type { ListedSealed, SealedSessions } from './sealed-sessions.ts';
import type { RevocationKind, Revocations } from './revocations.ts';
import type { ListedSession, SessionDesk } from './session-desk.ts';
import type { KeySettings } from './session-key.ts';

export interface SealedDeskDeps {
  readonly sealed: Pick<SealedSessions, 'list' | 'forget' | 'forgetRevoked'>;
  readonly revocations: Revocations;
  readonly clock: Clock;
}

export function createSealedDesk(
  { provider }: KeySettings,
  { sealed, revocations, clock }: SealedDeskDeps,
): SessionDesk {
  // It counts before it is durable: whoever waits for the disk is refused meanwhile.
  const revokeAll = async (kind: Exclude<RevocationKind, 'session'>, of: string, value: string): Promise<number> => {
    const kept = revocations.revokeAll(kind, of, value);
    const count = sealed.forgetRevoked(clock.now());
    await kept;
    return count;
  };
  return {
    list: async () => sealed.list(clock.now()).map((one) => listed(provider.kind, one)),
    async revoke(key) {
      const found = sealed.list(clock.now()).find(({ id }) => id === key);
      if (found === undefined) return 0;
      const kept = revocations.end(key, found.expiresAt);
      sealed.forget(key);
      await kept;
      return 1;
    },
    revokeByPerson: (of, subject) => revokeAll('subject', of, subject),
    revokeByProviderSession: (of, providerSession) => revokeAll('provider-session', of, providerSession),
    revokeUnnamed: (of, subject) => revokeAll('unnamed', of, subject),
    revokeUnseen: (of, name) => revokeAll('name', of, name),
  };
}

function listed(kind: string, { id, session, signedInAt, expiresAt }: ListedSealed): ListedSession {
  const person = listedPerson(kind, session);
  return { key: id, person, createdAt: signedInAt, expiresAt, lastSeenAt: null, hosts: [ANY_HOST] };
}
