/**
 * Lets people stay signed in who have a cookie of oauth2-proxy, in front of any keeper. Such a session becomes one of
 * ours when it is renewed or at the next sign-in, and ends when it says. What is revoked is refused here until
 * then: like the original, nobody can call these cookies back.
 */
import { hash } from 'node:crypto';
import { PosternError } from '../../../core/errors.ts';
import { broughtBy } from '../../cookie-text.ts';
import { endOf } from '../session-end.ts';
import { KnownSessions } from '../known-sessions.ts';
import { listedPerson } from '../listed-person.ts';
import { ownCookies } from '../own-cookies.ts';
import { ANY_HOST } from '../session-desk.ts';
import { readOriginalCookie } from './original-cookie.ts';
import type { Clock } from '../../../core/clock.ts';
import type { HeaderBlock } from '../../../wire/header-block.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { Found } from '../../ports.ts';
import type { KnownSession } from '../known-sessions.ts';
import type { Brought, RevocationKind, Revocations } from '../revocations.ts';
import type { DeskKeeper, ListedSession, SessionDesk } from '../session-desk.ts';
import type { KeySettings } from '../session-key.ts';

const HANDLE = 'original.';
/** For requests that were under way with the old cookie when it was renewed. */
const GRACE_MS = 60_000;
const MAX_PARTS = 32;
/** The secret is looked at as often as for sessions of our own. */
const FOLLOW_MS = 1_000;

export interface OriginalDeps {
  readonly settings: KeySettings;
  readonly clock: Clock;
  readonly revocations: Revocations;
}

export function withOriginalSessions(keeper: DeskKeeper, deps: OriginalDeps): DeskKeeper {
  const originals = new Originals(deps);
  const orOriginal = (found: Found, headers: HeaderBlock): Found =>
    found.kind === 'absent' && found.hadCookie ? (originals.find(headers) ?? found) : found;
  return {
    ...keeper,
    desk: createOriginalDesk(keeper.desk, originals, deps),
    find(headers) {
      const found = keeper.find(headers);
      return found instanceof Promise ? found.then((late) => orOriginal(late, headers)) : orOriginal(found, headers);
    },
    async open(session, place, headers) {
      await originals.end(headers);
      return keeper.open(session, place, headers);
    },
    async replace(handle, session, place, headers) {
      if (!handle.startsWith(HANDLE)) return keeper.replace(handle, session, place, headers);
      const ended = new PosternError('ACCESS_DENIED', 'Cannot renew the session: it was ended meanwhile');
      if (originals.isEnded(handle, session)) throw ended;
      const lines = await keeper.open(session, place, headers);
      if (originals.isEnded(handle, session)) {
        // What ended the old one did not find this one yet.
        await keeper.end(broughtBy(lines), place);
        throw ended;
      }
      await originals.renew(handle, session);
      return lines;
    },
    async end(headers, place) {
      await originals.end(headers);
      return keeper.end(headers, place);
    },
  };
}

/** Those that this process has seen beside the keeper's own. */
function createOriginalDesk(own: SessionDesk, originals: Originals, { revocations }: OriginalDeps): SessionDesk {
  type Kind = Exclude<RevocationKind, 'session'>;
  const revokeAll = async (kind: Kind, provider: string, value: string): Promise<number> => {
    const kept = revocations.revokeAll(kind, provider, value);
    const count = originals.forgetRevoked();
    await kept;
    return count;
  };
  return {
    list: async () => [...(await own.list()), ...originals.list()].sort((a, b) => b.createdAt - a.createdAt),
    revoke: async (key) => (await own.revoke(key)) || originals.revoke(key),
    revokeByPerson: async (provider, subject) =>
      (await revokeAll('subject', provider, subject)) + (await own.revokeByPerson(provider, subject)),
    revokeByProviderSession: async (provider, id) =>
      (await revokeAll('provider-session', provider, id)) + (await own.revokeByProviderSession(provider, id)),
    revokeUnnamed: async (provider, subject) =>
      (await revokeAll('unnamed', provider, subject)) + (await own.revokeUnnamed(provider, subject)),
    revokeUnseen:
      own.revokeUnseen &&
      (async (provider, name) => {
        const seen = await revokeAll('name', provider, name);
        return seen + ((await own.revokeUnseen?.(provider, name)) ?? 0);
      }),
  };
}

class Originals {
  readonly #settings: KeySettings;
  readonly #clock: Clock;
  readonly #revocations: Revocations;
  readonly #known = new KnownSessions();
  #secret: Buffer;
  #lookAt = 0;

  constructor({ settings, clock, revocations }: OriginalDeps) {
    this.#settings = settings;
    this.#clock = clock;
    this.#revocations = revocations;
    this.#secret = settings.cookie.secret.read();
  }

  find(headers: HeaderBlock): Found | null {
    const value = this.#valueOf(headers);
    if (value === null) return null;
    const now = this.#clock.now();
    this.#follow(now);
    const key = keyOf(value);
    const known = this.#known.get(key);
    if (known !== undefined && now < known.expiresAt) return known.found;
    if (this.#revocations.isEnded(key)) return null;
    const { cookie, provider } = this.#settings;
    const { name, expireMs } = cookie;
    const { issuer } = provider.oidc;
    const session = readOriginalCookie(value, { name, secret: this.#secret, now, expireMs, issuer });
    if (session === null || now >= endOf(session, expireMs)) return null;
    if (this.#revocations.isRevoked(broughtAs(key, session), endOf(session, expireMs))) return null;
    return this.#put(key, session, endOf(session, expireMs));
  }

  /** `session`: what it was renewed to. */
  isEnded(handle: string, session: AuthSession): boolean {
    const { key, createdAt } = readHandle(handle);
    const until = endOf(session, this.#settings.cookie.expireMs);
    return this.#revocations.isRevoked({ id: key, session, signedInAt: createdAt }, until);
  }

  /** The new cookie is on its way; the old one counts a moment longer. */
  async renew(handle: string, session: AuthSession): Promise<void> {
    const { key } = readHandle(handle);
    const now = this.#clock.now();
    this.#put(key, session, now + GRACE_MS);
    await this.#revocations.end(key, endOf(session, this.#settings.cookie.expireMs));
  }

  async end(headers: HeaderBlock): Promise<void> {
    const value = this.#valueOf(headers);
    const found = value === null ? null : this.find(headers);
    if (value !== null && found?.kind === 'found') await this.#end(keyOf(value), found.session);
  }

  async revoke(key: string): Promise<number> {
    const entry = this.#known.get(key);
    if (entry === undefined || this.#revocations.isEnded(key)) return 0;
    await this.#end(key, entry.found.session);
    return 1;
  }

  list(): readonly ListedSession[] {
    return this.#live().map(([key, { found, expiresAt }]) => {
      const person = listedPerson(this.#settings.provider.kind, found.session);
      const { createdAt } = found.session;
      return { key, person, createdAt, expiresAt, lastSeenAt: null, hosts: [ANY_HOST] };
    });
  }

  /** Answers how many that were. */
  forgetRevoked(): number {
    const revoked = this.#live().filter(([key, { found, expiresAt }]) =>
      this.#revocations.isCovered(broughtAs(key, found.session), expiresAt),
    );
    for (const [key] of revoked) this.#known.forget(key);
    return revoked.length;
  }

  /** Without those that were renewed: they are of the keeper. */
  #live(): readonly (readonly [string, KnownSession])[] {
    const now = this.#clock.now();
    return [...this.#known.entries()].filter(
      ([key, { expiresAt }]) => now < expiresAt && !this.#revocations.isEnded(key),
    );
  }

  /** It counts before it is durable. */
  async #end(key: string, session: AuthSession): Promise<void> {
    const kept = this.#revocations.end(key, endOf(session, this.#settings.cookie.expireMs));
    this.#known.forget(key);
    await kept;
  }

  #put(key: string, session: AuthSession, expiresAt: number): Found {
    const found = { kind: 'found', session, handle: `${HANDLE}${key}.${session.createdAt}` } as const;
    this.#known.put(key, { found, expiresAt, confirmedAt: 0, notedAt: 0 });
    return found;
  }

  #follow(now: number): void {
    if (now < this.#lookAt && now >= this.#lookAt - FOLLOW_MS) return;
    this.#lookAt = now + FOLLOW_MS;
    const secret = readOr(this.#settings.cookie.secret, this.#secret);
    if (!secret.equals(this.#secret)) this.#known.clear();
    this.#secret = secret;
  }

  /** One cookie of the name, or parts without a gap and without doubles; anything else is planted. */
  #valueOf(headers: HeaderBlock): string | null {
    const cookies = ownCookies(headers, this.#settings.cookie.name);
    const whole = cookies.filter((one) => one.part === -1);
    if (whole.length > 0) return whole.length === 1 ? (whole[0]?.value ?? null) : null;
    if (cookies.length === 0 || cookies.length > MAX_PARTS) return null;
    const parts = cookies.toSorted((one, other) => one.part - other.part);
    return parts.every((one, i) => one.part === i) ? parts.map((one) => one.value).join('') : null;
  }
}

/** A file that is being replaced is there again a moment later. */
function readOr(secret: { readonly read: () => Buffer }, before: Buffer): Buffer {
  try {
    return Buffer.from(secret.read());
  } catch {
    return before;
  }
}

function readHandle(handle: string): { readonly key: string; readonly createdAt: number } {
  const [key = '', createdAt = ''] = handle.slice(HANDLE.length).split('.');
  return { key, createdAt: Number(createdAt) };
}

/** Its time is that of its sign-in, or of its last renewal by oauth2-proxy, which is not running any more. */
function broughtAs(id: string, session: AuthSession): Brought {
  return { id, session, signedInAt: session.createdAt };
}

function keyOf(value: string): string {
  return hash('sha256', value, 'hex');
}
