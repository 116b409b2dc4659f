/**
 * Lets people stay signed in who have a cookie of oauth2-proxy, in front of any keeper. Such a session becomes one of
 * ours when it is renewed or at the next sign-in, and ends when it says. What is ended is refused by this process
 * until then: like the original, nobody can call these cookies back.
 */
import { hash } from 'node:crypto';
import { PosternError } from '../../../core/errors.ts';
import { endOf } from '../session-end.ts';
import { KnownSessions } from '../known-sessions.ts';
import { ownCookies } from '../own-cookies.ts';
import { readOriginalCookie } from './original-cookie.ts';
import type { Clock } from '../../../core/clock.ts';
import type { HeaderBlock } from '../../../wire/header-block.ts';
import type { AuthSession } from '../../auth-session.ts';
import type { Found, SessionKeeper } from '../../ports.ts';
import type { KeySettings } from '../session-key.ts';

const HANDLE = 'original.';
/** For requests that were under way with the old cookie when it was renewed. */
const GRACE_MS = 60_000;
const MAX_ENDED = 100_000;
const MAX_PARTS = 32;
/** The secret is looked at as often as for sessions of our own. */
const FOLLOW_MS = 1_000;

export function withOriginalSessions(keeper: SessionKeeper, settings: KeySettings, clock: Clock): SessionKeeper {
  const originals = new Originals(settings, clock);
  const orOriginal = (found: Found, headers: HeaderBlock): Found =>
    found.kind === 'absent' && found.hadCookie ? (originals.find(headers) ?? found) : found;
  return {
    ...keeper,
    find(headers) {
      const found = keeper.find(headers);
      return found instanceof Promise ? found.then((late) => orOriginal(late, headers)) : orOriginal(found, headers);
    },
    open(session, place, headers) {
      originals.end(headers);
      return keeper.open(session, place, headers);
    },
    async replace(handle, session, place, headers) {
      if (!handle.startsWith(HANDLE)) return keeper.replace(handle, session, place, headers);
      if (originals.isEnded(handle))
        throw new PosternError('ACCESS_DENIED', 'Cannot renew the session: it was ended meanwhile');
      const lines = await keeper.open(session, place, headers);
      originals.renew(handle, session);
      return lines;
    },
    end(headers, place) {
      originals.end(headers);
      return keeper.end(headers, place);
    },
  };
}

class Originals {
  readonly #settings: KeySettings;
  readonly #clock: Clock;
  readonly #known = new KnownSessions();
  /** Key -> when nobody would take it anyway. */
  readonly #ended = new Map<string, number>();
  #secret: Buffer;
  #lookAt = 0;

  constructor(settings: KeySettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
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
    if (this.#ended.has(key)) return null;
    const { cookie, provider } = this.#settings;
    const { name, expireMs } = cookie;
    const { issuer } = provider.oidc;
    const session = readOriginalCookie(value, { name, secret: this.#secret, now, expireMs, issuer });
    if (session === null || now >= endOf(session, expireMs)) return null;
    return this.#put(key, session, endOf(session, expireMs));
  }

  isEnded(handle: string): boolean {
    return this.#ended.has(handle.slice(HANDLE.length));
  }

  /** The new cookie is on its way; the old one counts a moment longer. */
  renew(handle: string, session: AuthSession): void {
    const key = handle.slice(HANDLE.length);
    const now = this.#clock.now();
    this.#refuse(key, endOf(session, this.#settings.cookie.expireMs));
    this.#put(key, session, now + GRACE_MS);
  }

  end(headers: HeaderBlock): void {
    const value = this.#valueOf(headers);
    const found = value === null ? null : this.find(headers);
    if (value === null || found?.kind !== 'found') return;
    this.#known.forget(keyOf(value));
    this.#refuse(keyOf(value), endOf(found.session, this.#settings.cookie.expireMs));
  }

  #put(key: string, session: AuthSession, expiresAt: number): Found {
    const found = { kind: 'found', session, handle: `${HANDLE}${key}` } as const;
    this.#known.put(key, { found, expiresAt, confirmedAt: 0, notedAt: 0 });
    return found;
  }

  #refuse(key: string, until: number): void {
    this.#ended.delete(key);
    this.#ended.set(key, until);
    if (this.#ended.size <= MAX_ENDED) return;
    const now = this.#clock.now();
    for (const [one, end] of this.#ended) if (now >= end) this.#ended.delete(one);
    while (this.#ended.size > MAX_ENDED) this.#ended.delete(this.#ended.keys().next().value as string);
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

function keyOf(value: string): string {
  return hash('sha256', value, 'hex');
}
