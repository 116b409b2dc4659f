/**
 * Sessions that count no more though somebody holds them: those that are in cookies, ours that are sealed and those of
 * oauth2-proxy. In memory, where each is a look-up, and in the data folder, so that a restart forgets none. Of
 * replicas each has its own.
 */
import { listedPerson } from './listed-person.ts';
import { UNLIMITED_MS } from './session-end.ts';
import type { Clock } from '../../core/clock.ts';
import type { RevocationStore, StoredRevocation } from '../../core/revocation-store.ts';
import type { AuthSession } from '../auth-session.ts';
import type { KeySettings } from './session-key.ts';

/** Each by itself ends one session, and people may sign out as often as they like. */
const MAX_SINGLE = 100_000;
const SWEEP_MS = 60_000;

/** `unnamed`: of a person, those of which the provider said no session of its own. */
export type RevocationKind = 'session' | 'provider-session' | 'unnamed' | 'subject' | 'name';

/** A session that somebody brings. */
export interface Brought {
  readonly id: string;
  readonly session: AuthSession;
  /** When the person signed in, however often it was renewed since. */
  readonly signedInAt: number;
}

export class Revocations {
  readonly #store: RevocationStore | null;
  readonly #clock: Clock;
  readonly #settings: KeySettings;
  readonly #entries: Map<string, StoredRevocation> = new Map();
  readonly #maxSingle: number;
  #single = 0;
  #sweptAt = 0;

  private constructor(store: RevocationStore | null, { clock, settings, maxSingle }: RevocationsDeps) {
    this.#store = store;
    this.#clock = clock;
    this.#settings = settings;
    this.#maxSingle = maxSingle ?? MAX_SINGLE;
  }

  /** Null: they end with the process. */
  static async open(store: RevocationStore | null, deps: RevocationsDeps): Promise<Revocations> {
    const revocations = new Revocations(store, deps);
    for (const one of (await store?.listRevocations(deps.clock.now())) ?? []) revocations.#put(one);
    return revocations;
  }

  /** Of a session by itself: whatever else is said of it. */
  isEnded(id: string): boolean {
    return this.#entries.has(keyOf('session', id));
  }

  /** `expiresAt`: when the cookie that was brought is over. */
  isRevoked(brought: Brought, expiresAt: number): boolean {
    return this.#entries.size > 0 && (this.isEnded(brought.id) || this.isCovered(brought, expiresAt));
  }

  /** With all of the person's, or of the provider's session. */
  isCovered({ session, signedInAt }: Brought, expiresAt: number): boolean {
    if (this.#entries.size === this.#single) return false;
    const { provider, subject, name } = listedPerson(this.#settings.provider.kind, session);
    const { providerSession } = session;
    const said = (kind: RevocationKind, value: string): boolean =>
      value !== '' && this.#covers(kind, ownedName(provider, value), { signedInAt, expiresAt });
    const isNamed = providerSession === '' ? said('unnamed', subject) : said('provider-session', providerSession);
    return isNamed || said('subject', subject) || said('name', name);
  }

  /** It counts from now on; resolves when no restart forgets it. */
  async end(id: string, until: number): Promise<void> {
    await this.#keep({ kind: 'session', name: id, signedInBy: this.#clock.now(), until });
  }

  /** All that were begun until now, seen or not. */
  async revokeAll(kind: Exclude<RevocationKind, 'session'>, provider: string, value: string): Promise<void> {
    const now = this.#clock.now();
    const { expireMs } = this.#settings.cookie;
    const until = now + (expireMs === 0 ? UNLIMITED_MS : expireMs);
    await this.#keep({ kind, name: ownedName(provider, value), signedInBy: now, until });
  }

  #covers(kind: RevocationKind, name: string, it: { signedInAt: number; expiresAt: number }): boolean {
    const entry = this.#entries.get(keyOf(kind, name));
    if (entry === undefined || it.signedInAt > entry.signedInBy) return false;
    // A replica that did not hear of it has renewed the session: it is to be refused as long as that lasts.
    if (it.expiresAt > entry.until) void this.#keep({ ...entry, until: it.expiresAt }).catch(() => {});
    return true;
  }

  async #keep(revocation: StoredRevocation): Promise<void> {
    const dropped = this.#put(revocation);
    await this.#store?.putRevocation(revocation);
    for (const { kind, name } of dropped) await this.#store?.deleteRevocation(kind, name);
  }

  /** Answers those that had to make room. */
  #put(revocation: StoredRevocation): readonly StoredRevocation[] {
    this.#sweep();
    const key = keyOf(revocation.kind, revocation.name);
    this.#remove(key);
    this.#entries.set(key, revocation);
    if (revocation.kind === 'session') this.#single++;
    return this.#single > this.#maxSingle ? this.#makeRoom() : [];
  }

  /** What nobody would take anyway goes first, then what is oldest. */
  #makeRoom(): readonly StoredRevocation[] {
    this.#sweep(true);
    const dropped: StoredRevocation[] = [];
    for (const [key, entry] of this.#entries) {
      if (this.#single <= this.#maxSingle) break;
      if (entry.kind !== 'session') continue;
      this.#remove(key);
      dropped.push(entry);
    }
    return dropped;
  }

  #sweep(isNeeded = false): void {
    const now = this.#clock.now();
    if (now < this.#sweptAt + SWEEP_MS && !isNeeded) return;
    this.#sweptAt = now;
    for (const [key, entry] of this.#entries) if (now >= entry.until) this.#remove(key);
    void this.#store?.deleteRevocationsUntil(now).catch(() => {});
  }

  #remove(key: string): void {
    if (this.#entries.get(key)?.kind === 'session') this.#single--;
    this.#entries.delete(key);
  }
}

export interface RevocationsDeps {
  readonly clock: Clock;
  readonly settings: KeySettings;
  /** For tests: how many single sessions are remembered. */
  readonly maxSingle?: number;
}

function keyOf(kind: string, name: string): string {
  return `${kind} ${name}`;
}

/** Subjects are one provider's. */
function ownedName(provider: string, value: string): string {
  return `${provider} ${value}`;
}
