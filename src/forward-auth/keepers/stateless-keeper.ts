/**
 * `--session-mode stateless`: the session is in the cookie, sealed, for replicas that share nothing but the secret.
 * Nobody can call such a cookie back: what is revoked is refused here until it would be over, and other replicas
 * go on taking it until they are told as well. What this process has verified before costs one hash.
 */
import { hash, randomUUID } from 'node:crypto';
import { PosternError } from '../../core/errors.ts';
import { createCookieText } from '../cookie-text.ts';
import { createHeardHere } from './heard-here.ts';
import { clearLines, ownCookies } from './own-cookies.ts';
import { candidateTexts, sealSession, splitText, unsealSession } from './sealed-cookie.ts';
import { sessionToData, sessionFromData } from './session-data.ts';
import { endOf } from './session-end.ts';
import { createSessionKey } from './session-key.ts';
import { createSealedDesk } from './sealed-desk.ts';
import { SealedSessions } from './sealed-sessions.ts';
import { SingleFlight } from './single-flight.ts';
import type { Clock } from '../../core/clock.ts';
import type { CookieLine } from '../../wire/cookie-line.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { AuthSession } from '../auth-session.ts';
import type { CookieText } from '../cookie-text.ts';
import type { CookiePlace, Found } from '../ports.ts';
import type { CookieSettings } from '../settings.ts';
import type { OwnCookie } from './own-cookies.ts';
import type { Revocations } from './revocations.ts';
import type { SealedSession } from './sealed-cookie.ts';
import type { DeskKeeper } from './session-desk.ts';
import type { KeySettings, SessionKey } from './session-key.ts';

/** Browsers take 4096 bytes of name, value and attributes (RFC 6265 section 6.1). */
const MAX_LINE_BYTES = 4_000;

const NOBODY: Found = { kind: 'absent', hadCookie: false };
const NOBODY_ANY_MORE: Found = { kind: 'absent', hadCookie: true };

export interface StatelessOptions {
  /** `session-cookie-minimal`: without tokens. */
  readonly isMinimal: boolean;
  readonly clock: Clock;
  readonly revocations: Revocations;
}

interface Keeper extends StatelessOptions {
  readonly cookie: CookieSettings;
  readonly key: SessionKey;
  readonly text: CookieText;
  readonly sealed: SealedSessions;
}

/** No salt: replicas share nothing but the settings. */
const NO_SALT = Buffer.alloc(0);

export function createStatelessKeeper(settings: KeySettings, options: StatelessOptions): DeskKeeper {
  const { cookie } = settings;
  const text = createCookieText(cookie);
  const key = createSessionKey(settings, NO_SALT);
  const { clock, revocations } = options;
  const sealed = new SealedSessions((it, expiresAt) => revocations.isRevoked(it, expiresAt));
  const keeper: Keeper = { ...options, cookie, key, text, sealed };
  const flights = new SingleFlight();
  const clear = (headers: HeaderBlock, { host }: CookiePlace): readonly string[] =>
    clearLines({ name: cookie.name, text, headers, host });
  return {
    find: (headers) => find(keeper, headers),
    async open(session, place, headers) {
      await endBrought(keeper, headers);
      const opened = { id: randomUUID(), serial: 0, signedInAt: clock.now(), session: kept(keeper, session) };
      return write(keeper, opened, place, headers);
    },
    replace: async (handle, session, place, headers) => {
      const renewed = keeper.sealed.renew(handle, kept(keeper, session), endOf(session, cookie.expireMs));
      if (renewed === null) throw new PosternError('ACCESS_DENIED', 'Cannot renew the session: it was ended meanwhile');
      return write(keeper, renewed, place, headers);
    },
    async end(headers, place) {
      await endBrought(keeper, headers);
      return clear(headers, place);
    },
    clear,
    once: (handle, work) => flights.run(handle, work),
    desk: createSealedDesk(settings, { sealed, revocations, clock }),
    logouts: createHeardHere(settings, clock),
    isReady: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
}

/** What the cookies of a header block or a Cookie line that comes again and again are known by. */
const rememberedKeys = new WeakMap<HeaderBlock | CookieLine, { readonly name: string; readonly key: string }>();

function find(keeper: Keeper, headers: HeaderBlock): Found {
  const now = keeper.clock.now();
  if (keeper.key.follow(now)) keeper.sealed.forgetAll();
  const { name } = keeper.cookie;
  const holder = headers.isRemembered ? headers : headers.cookieLine;
  const remembered = holder === null ? undefined : rememberedKeys.get(holder);
  if (remembered?.name === name) {
    const known = keeper.sealed.find(remembered.key, now);
    if (known !== null) return known;
  }
  const cookies = ownCookies(headers, name);
  if (cookies.length === 0) return NOBODY;
  const key = keyOf(cookies);
  if (holder !== null) rememberedKeys.set(holder, { name, key });
  return keeper.sealed.find(key, now) ?? verify(keeper, key, cookies, now);
}

function keyOf(cookies: readonly OwnCookie[]): string {
  const [only] = cookies;
  if (cookies.length === 1 && only?.part === -1) return hash('sha256', only.value, 'base64url');
  return hash('sha256', cookies.map((it) => `${it.part}=${it.value}`).join(';'), 'base64url');
}

function verify(keeper: Keeper, key: string, cookies: readonly OwnCookie[], now: number): Found {
  const opened = openBrought(keeper, cookies);
  const [newest] = opened;
  if (newest === undefined || opened.some((one) => one.id !== newest.id)) return NOBODY_ANY_MORE;
  const expiresAt = endOf(newest.session, keeper.cookie.expireMs);
  if (now >= expiresAt) return NOBODY_ANY_MORE;
  return keeper.sealed.put(key, newest, expiresAt) ?? NOBODY_ANY_MORE;
}

/** The newest first. A browser may hold one session in an older and a newer form, but never two. */
function openBrought(keeper: Keeper, cookies: readonly OwnCookie[]): readonly SealedSession[] {
  const texts = candidateTexts(cookies) ?? [];
  return texts
    .flatMap((text) => unsealSession(keeper.key, text) ?? [])
    .sort((one, other) => other.serial - one.serial || other.session.createdAt - one.session.createdAt);
}

async function endBrought(keeper: Keeper, headers: HeaderBlock): Promise<void> {
  const { sealed, revocations, cookie, clock } = keeper;
  const now = clock.now();
  const brought = openBrought(keeper, ownCookies(headers, cookie.name)).map(({ id, session }) => {
    const until = Math.max(endOf(session, cookie.expireMs), sealed.endOf(id));
    return [id, until] as const;
  });
  const ended = brought.filter(([id, until]) => now < until && !revocations.isEnded(id));
  const kept = Promise.all(ended.map(([id, until]) => revocations.end(id, until)));
  for (const [id] of ended) sealed.forget(id);
  await kept;
}

/** What the next request will find, so that this process knows no more of it than any other. */
function kept(keeper: Keeper, session: AuthSession): AuthSession {
  return sessionFromData(sessionToData(session, keeper.isMinimal)) ?? session;
}

function write(keeper: Keeper, sealed: SealedSession, { host }: CookiePlace, headers: HeaderBlock): readonly string[] {
  const { name, expireMs } = keeper.cookie;
  const maxAgeMs = expireMs === 0 ? null : expireMs;
  const text = sealSession(keeper.key, sealed);
  const whole = keeper.text.session(name, text, host, maxAgeMs);
  const lines = new Map([[name, whole]]);
  if (whole.length > MAX_LINE_BYTES) {
    lines.clear();
    const room = MAX_LINE_BYTES - (whole.length - text.length) - '_00'.length;
    for (const [i, part] of splitText(text, room).entries())
      lines.set(`${name}_${i}`, keeper.text.session(`${name}_${i}`, part, host, maxAgeMs));
  }
  const leftovers = clearLines({ name, text: keeper.text, headers, host }, new Set(lines.keys()));
  return [...lines.values(), ...leftovers];
}
