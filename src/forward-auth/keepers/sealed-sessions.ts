/**
 * Sealed sessions that this process has seen, by the hash of their cookies and by their own id, bounded. All cookies
 * of one session share its newest form: requests that were under way with the old cookie when it was renewed
 * do not renew it once more with a refresh token that is used up. What was ended is remembered until it expires.
 */
import { sizeOfSession } from './session-data.ts';
import type { AuthSession } from '../auth-session.ts';
import type { Found } from '../ports.ts';
import type { KnownLimits } from './known-sessions.ts';
import type { SealedSession } from './sealed-cookie.ts';

const MAX_ENTRIES = 100_000;
const MAX_BYTES = 96 << 20;
const MAX_ENDED = 100_000;
/** Forms in which one session may come at a time: parts, leftovers and planted cookies beside it. */
const MAX_KEYS = 8;

type FoundSession = Extract<Found, { kind: 'found' }>;

interface Shared {
  found: FoundSession;
  serial: number;
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

export class SealedSessions {
  readonly #limits: KnownLimits;
  readonly #maxEnded: number;
  readonly #byKey = new Map<string, Known>();
  readonly #byId = new Map<string, Shared>();
  /** Ids, with the time from which on nobody would take them anyway. */
  readonly #ended = new Map<string, number>();
  #bytes = 0;

  constructor(limits: KnownLimits = { maxEntries: MAX_ENTRIES, maxBytes: MAX_BYTES }, maxEnded: number = MAX_ENDED) {
    this.#limits = limits;
    this.#maxEnded = maxEnded;
  }

  find(key: string, now: number): FoundSession | null {
    const known = this.#byKey.get(key);
    return known === undefined || now >= known.expiresAt ? null : known.shared.found;
  }

  /** Null: it was ended. Otherwise what counts of it, which may be newer than what came. */
  put(key: string, sealed: SealedSession, expiresAt: number): FoundSession | null {
    if (this.#ended.has(sealed.id)) return null;
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

  /** The next form of a session; null: it was ended. */
  renew(handle: string, session: AuthSession, expiresAt: number): SealedSession | null {
    const [id = '', from] = handle.split('.');
    if (this.#ended.has(id)) return null;
    const sealed = { id, serial: Math.max(this.#byId.get(id)?.serial ?? 0, Number(from)) + 1, session };
    this.#share(sealed, expiresAt);
    this.#trim();
    return sealed;
  }

  end(id: string, expiresAt: number, now: number): void {
    const until = Math.max(expiresAt, this.#byId.get(id)?.expiresAt ?? 0);
    this.#forget(id);
    this.#ended.delete(id);
    this.#ended.set(id, until);
    if (this.#ended.size <= this.#maxEnded) return;
    for (const [one, end] of this.#ended) if (now >= end) this.#ended.delete(one);
    while (this.#ended.size > this.#maxEnded) this.#ended.delete(this.#ended.keys().next().value as string);
  }

  forgetAll(): void {
    this.#byKey.clear();
    this.#byId.clear();
    this.#bytes = 0;
  }

  #share({ id, serial, session }: SealedSession, expiresAt: number): Shared {
    let shared = this.#byId.get(id);
    if (shared !== undefined && !isNewer(shared, serial, session)) return shared;
    const found: FoundSession = { kind: 'found', session, handle: `${id}.${serial}` };
    const bytes = sizeOfSession(session);
    this.#bytes += bytes - (shared?.bytes ?? 0);
    if (shared === undefined) {
      shared = { found, serial, expiresAt, bytes, keys: new Set() };
      this.#byId.set(id, shared);
    } else Object.assign(shared, { found, serial, expiresAt, bytes });
    return shared;
  }

  #trim(): void {
    while (this.#byId.size > this.#limits.maxEntries || this.#bytes > this.#limits.maxBytes)
      this.#forget(this.#byId.keys().next().value as string);
  }

  #forget(id: string): void {
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
