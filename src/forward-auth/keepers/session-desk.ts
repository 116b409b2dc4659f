/**
 * Sessions that are not the caller's own: who is signed in, and ending that. For `postern sessions` and for a
 * provider's back-channel logout, whichever way sessions are kept.
 */
import type { Person } from '../../core/person.ts';
import type { LogoutMemory, SessionKeeper } from '../ports.ts';

export interface ListedSession {
  /** Names it to `revoke`; opens nothing. */
  readonly key: string;
  readonly person: Person;
  /** When they signed in. */
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Null: nobody notes it. */
  readonly lastSeenAt: number | null;
  readonly hosts: readonly string[];
}

/** Each rejects with STORE_UNAVAILABLE where it cannot do it, and answers how many sessions it knows to be ended. */
export interface SessionDesk {
  /** Newest first. */
  readonly list: () => Promise<readonly ListedSession[]>;
  readonly revoke: (key: string) => Promise<number>;
  readonly revokeByPerson: (provider: string, subject: string) => Promise<number>;
  /** By the provider's own id (`sid`). */
  readonly revokeByProviderSession: (provider: string, providerSession: string) => Promise<number>;
  /** Of one person, those of which the provider said no such id. */
  readonly revokeUnnamed: (provider: string, subject: string) => Promise<number>;
  /** By the name that is listed, also of sessions that nobody has seen yet; null: all there are can be listed. */
  readonly revokeUnseen: ((provider: string, name: string) => Promise<number>) | null;
}

export interface DeskKeeper extends SessionKeeper {
  readonly desk: SessionDesk;
  readonly logouts: LogoutMemory;
}

/** The browser decides by the cookie's domain where it sends it. */
export const ANY_HOST = '*';
