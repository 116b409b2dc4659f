/**
 * Sealed sessions that this process has seen, by the hash of their cookies and by their own id, bounded. All cookies
 * of one session share its newest form: requests that were under way with the old cookie when it was renewed
 * do not renew it once more with a refresh token that is used up. What was revoked is not taken in.
 */
import { sizeOfSession } from './session-data.ts';
import type { AuthSession } from '../auth-session.ts';
import type { Found } from '../ports.ts';
import type { KnownLimits } from './known-sessions.ts';
import type { SealedSession } from './sealed-cookie.ts';

const MAX_ENTRIES = 100_000;
const MAX_BYTES = 96 << 20;
/** Forms in which one session may come at a time: parts, leftovers and planted cookies beside it. */
const MAX_KEYS = 8;

type FoundSession = Extract<Found, { kind: 'found' }>;

/** Whether it counts no more, though the cookie says otherwise until then. */
export type IsRevoked = (sealed: SealedSession, expiresAt: number) => boolean;

interface Shared {
  found: FoundSession;
  serial: number;
  readonly signedInAt: number;
  expiresAt: number;
  bytes: number;
  /** Keys of its cookies. */
  readonly keys: Set<string>;
}

interface Known {
  readonly shared: Shared;
  /** Of this very cookie: an older one ends when it says. */
  readonly expiresAt: number;
}

export type ListedSealed = Pick<SealedSession, 'id' | 'session' | 'signedInAt'> & { readonly expiresAt: number };

export class SealedSessions {
  readonly #limits: KnownLimits;
  readonly #isRevoked: IsRevoked;
  readonly #byKey = new Map<string, Known>();
  readonly #byId = new Map<string, Shared>();
  #bytes = 0;

  constructor(isRevoked: IsRevoked, limits: KnownLimits = { maxEntries: MAX_ENTRIES, maxBytes: MAX_BYTES }) {
    this.#isRevoked = isRevoked;
    this.#limits = limits;
  }

  find(key: string, now: number): FoundSession | null {
    const known = this.#byKey.get(key);
    return known === undefined || now >= known.expiresAt ? null : known.shared.found;
  }

  /** Null: it was revoked. Otherwise what counts of it, which may be newer than what came. */
  put(key: string, sealed: SealedSession, expiresAt: number): FoundSession | null {
    if (this.#isRevoked(sealed, expiresAt)) return null;
    const shared = this.#share(sealed, expiresAt);
    shared.keys.add(key);
    this.#byKey.set(key, { shared, expiresAt });
    for (const one of shared.keys) {
      if (shared.keys.size <= MAX_KEYS) break;
      shared.keys.delete(one);
      this.#byKey.delete(one);
    }
    this.#trim();
    return shared.found;
  }

  /** The next form of a session; null: it was revoked. */
  renew(handle: string, session: AuthSession, expiresAt: number): SealedSession | null {
    const [id = '', from, signedInAt] = handle.split('.');
    const serial = Math.max(this.#byId.get(id)?.serial ?? 0, Number(from)) + 1;
    const sealed = { id, serial, signedInAt: Number(signedInAt), session };
    if (this.#isRevoked(sealed, expiresAt)) return null;
    this.#share(sealed, expiresAt);
    this.#trim();
    return sealed;
  }

  /** Those that this process has seen and that are not over, newest first. */
  list(now: number): readonly ListedSealed[] {
    const all = [...this.#byId].map(([id, { found, signedInAt, expiresAt }]) => {
      return { id, session: found.session, signedInAt, expiresAt };
    });
    return all.filter((one) => now < one.expiresAt).sort((one, other) => other.signedInAt - one.signedInAt);
  }

  /** When the newest form of it ends; 0: it was not seen. */
  endOf(id: string): number {
    return this.#byId.get(id)?.expiresAt ?? 0;
  }

  /** Of what was revoked meanwhile; answers how many sessions that were. */
  forgetRevoked(now: number): number {
    const revoked = this.list(now).filter((one) => this.#isRevoked({ ...one, serial: 0 }, one.expiresAt));
    for (const { id } of revoked) this.forget(id);
    return revoked.length;
  }

  forgetAll(): void {
    this.#byKey.clear();
    this.#byId.clear();
    this.#bytes = 0;
  }

  #share({ id, serial, signedInAt, session }: SealedSession, expiresAt: number): Shared {
    let shared = this.#byId.get(id);
    if (shared !== undefined && !isNewer(shared, serial, session)) return shared;
    const found: FoundSession = { kind: 'found', session, handle: `${id}.${serial}.${signedInAt}` };
    const bytes = sizeOfSession(session);
    this.#bytes += bytes - (shared?.bytes ?? 0);
    if (shared === undefined) {
      shared = { found, serial, signedInAt, expiresAt, bytes, keys: new Set() };
      this.#byId.set(id, shared);
    } else Object.assign(shared, { found, serial, expiresAt, bytes });
    return shared;
  }

  #trim(): void {
    while (this.#byId.size > this.#limits.maxEntries || this.#bytes > this.#limits.maxBytes)
      this.forget(this.#byId.keys().next().value as string);
  }

  forget(id: string): void {
    const shared = this.#byId.get(id);
    if (shared === undefined) return;
    this.#byId.delete(id);
    this.#bytes -= shared.bytes;
    for (const key of shared.keys) this.#byKey.delete(key);
  }
}

/** Replicas may have renewed it side by side. */
function isNewer(shared: Shared, serial: number, session: AuthSession): boolean {
  if (serial !== shared.serial) return serial > shared.serial;
  return session.createdAt > shared.found.session.createdAt;
}
