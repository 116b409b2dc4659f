/**
 * Sessions behind a small cookie: 256 random bits that say nothing (the default, and Redis). A session that this
 * process knows is answered at once: one hash, one look-up. Of several cookies of the name exactly one may be
 * valid, else none counts; a store that does not answer neither lets in nor signs out.
 */
import { PosternError } from '../../core/errors.ts';
import { isToken, keyOfToken } from '../../session/token.ts';
import { cookieValues } from '../../wire/cookies.ts';
import { createCookieText } from '../cookie-text.ts';
import { KnownSessions } from './known-sessions.ts';
import { LookUps } from './look-ups.ts';
import { clearLines, ownCookies } from './own-cookies.ts';
import { endOf } from './session-end.ts';
import type { Clock } from '../../core/clock.ts';
import type { CookieLine } from '../../wire/cookie-line.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { AuthSession } from '../auth-session.ts';
import type { CookieText } from '../cookie-text.ts';
import type { CookiePlace, Found, SessionKeeper } from '../ports.ts';
import type { CookieSettings } from '../settings.ts';
import type { KnownLimits } from './known-sessions.ts';
import type { SessionId, SessionVault, VaultAnswer } from './session-vault.ts';

/** More than one value is odd already; more than these are an attack on the store. */
const MAX_VALUES = 4;
/** So often a session's use is noted. */
const NOTE_MS = 60_000;

const NOBODY: Found = { kind: 'absent', hadCookie: false };
const NOBODY_ANY_MORE: Found = { kind: 'absent', hadCookie: true };
const UNAVAILABLE: Found = { kind: 'unavailable' };

export interface OpaqueKeeperDeps {
  readonly vault: SessionVault;
  readonly cookie: CookieSettings;
  readonly clock: Clock;
  /** True where the secret is another one since the last time: nothing that is known counts. */
  readonly followSecret: (now: number) => boolean;
  readonly limits?: KnownLimits;
}

interface Keeper extends OpaqueKeeperDeps {
  readonly text: CookieText;
  readonly known: KnownSessions;
  readonly lookUps: LookUps;
}

export function createOpaqueKeeper(deps: OpaqueKeeperDeps): SessionKeeper {
  const { vault, cookie } = deps;
  const text = createCookieText(cookie);
  const { name } = cookie;
  const keeper: Keeper = {
    ...deps,
    text,
    known: new KnownSessions(deps.limits),
    lookUps: new LookUps(),
  };
  const stop = vault.onChange((key) => forget(keeper, key));
  return {
    find: (headers) => find(keeper, headers),
    open: (session, place, headers) => open(keeper, session, place, headers),
    replace: (handle, session, place, headers) => replace(keeper, { handle, session, place, headers }),
    async end(headers, place) {
      await removeBrought(keeper, headers);
      return clearLines({ name, text, headers, host: place.host });
    },
    clear: (headers, place) => clearLines({ name, text, headers, host: place.host }),
    once: (handle, work) => vault.once(handle, work),
    isReady: () => vault.isReady(),
    async close() {
      stop();
      await vault.close();
    },
  };
}

/** The one session key of a header block or a Cookie line that comes again and again, so that its cookie is hashed once. */
const rememberedKeys = new WeakMap<HeaderBlock | CookieLine, { readonly name: string; readonly id: SessionId }>();

function find(keeper: Keeper, headers: HeaderBlock): Found | Promise<Found> {
  const { name } = keeper.cookie;
  if (keeper.followSecret(keeper.clock.now())) forget(keeper, null);
  const holder = headers.isRemembered ? headers : headers.cookieLine;
  const remembered = holder === null ? undefined : rememberedKeys.get(holder);
  if (remembered?.name === name) return findOne(keeper, remembered.id);
  const values = cookieValues(headers, name);
  if (values.length === 0) return ownCookies(headers, name).length > 0 ? NOBODY_ANY_MORE : NOBODY;
  if (values.length > 1) return findAmong(keeper, values);
  const token = values[0] as string;
  if (!isToken(token)) return NOBODY_ANY_MORE;
  const id = { token, key: keyOfToken(token) };
  if (holder !== null) rememberedKeys.set(holder, { name, id });
  return findOne(keeper, id);
}

function findOne(keeper: Keeper, id: SessionId): Found | Promise<Found> {
  const entry = keeper.known.get(id.key);
  const now = keeper.clock.now();
  if (entry === undefined || now >= entry.expiresAt || now - entry.confirmedAt >= keeper.vault.trustMs(now))
    return lookUp(keeper, id);
  if (now - entry.notedAt >= NOTE_MS) {
    entry.notedAt = now;
    keeper.vault.noteUse(id.key, now);
  }
  return entry.found;
}

/** Somebody planted one beside ours. */
async function findAmong(keeper: Keeper, values: readonly string[]): Promise<Found> {
  const tokens = [...new Set(values)].filter(isToken);
  if (tokens.length > MAX_VALUES) return NOBODY_ANY_MORE;
  const answers = await Promise.all(tokens.map(async (token) => findOne(keeper, { token, key: keyOfToken(token) })));
  if (answers.some((answer) => answer.kind === 'unavailable')) return UNAVAILABLE;
  const valid = answers.filter((answer) => answer.kind === 'found');
  return valid.length === 1 ? (valid[0] as Found) : NOBODY_ANY_MORE;
}

async function lookUp(keeper: Keeper, id: SessionId): Promise<Found> {
  const answer = await keeper.lookUps.ask(id.key, () => keeper.vault.find(id));
  return settle(keeper, id, answer);
}

function settle(keeper: Keeper, { key }: SessionId, answer: VaultAnswer): Found {
  if (answer.kind === 'unavailable') return UNAVAILABLE;
  if (answer.kind === 'absent') {
    keeper.known.forget(key);
    return NOBODY_ANY_MORE;
  }
  const { session } = answer;
  const now = keeper.clock.now();
  const expiresAt = endOf(session, keeper.cookie.expireMs);
  if (now >= expiresAt) {
    keeper.known.forget(key);
    return NOBODY_ANY_MORE;
  }
  const found = { kind: 'found', session, handle: key } as const;
  const notedAt = keeper.known.get(key)?.notedAt ?? 0;
  keeper.known.put(key, { found, expiresAt, confirmedAt: now, notedAt });
  return found;
}

async function open(
  keeper: Keeper,
  session: AuthSession,
  place: CookiePlace,
  headers: HeaderBlock,
): Promise<readonly string[]> {
  await removeBrought(keeper, headers);
  const { token } = await keeper.vault.add(session, endOf(session, keeper.cookie.expireMs));
  return cookieLines(keeper, token, place, headers);
}

interface Replacement {
  readonly handle: string;
  readonly session: AuthSession;
  readonly place: CookiePlace;
  readonly headers: HeaderBlock;
}

async function replace(keeper: Keeper, { handle, session, place, headers }: Replacement): Promise<readonly string[]> {
  const token = cookieValues(headers, keeper.cookie.name).find(
    (value) => isToken(value) && keyOfToken(value) === handle,
  );
  const end = endOf(session, keeper.cookie.expireMs);
  if (token === undefined || !(await keeper.vault.replace({ token, key: handle }, session, end)))
    throw new PosternError('ACCESS_DENIED', 'Cannot renew the session: it was ended meanwhile');
  return cookieLines(keeper, token, place, headers);
}

/** Whatever session the request came with is over: ids never carry over (session fixation). */
async function removeBrought(keeper: Keeper, headers: HeaderBlock): Promise<void> {
  const tokens = new Set(cookieValues(headers, keeper.cookie.name).filter(isToken));
  const keys = [...tokens].slice(0, MAX_VALUES).map(keyOfToken);
  await Promise.all(keys.map((key) => keeper.vault.remove(key)));
}

/** The cookie, and an end to what an earlier way of keeping sessions left in the browser. */
function cookieLines(keeper: Keeper, token: string, place: CookiePlace, headers: HeaderBlock): readonly string[] {
  const { name, expireMs } = keeper.cookie;
  const line = keeper.text.session(name, token, place.host, expireMs === 0 ? null : expireMs);
  return [line, ...clearLines({ name, text: keeper.text, headers, host: place.host }, new Set([name]))];
}

function forget(keeper: Keeper, key: string | null): void {
  keeper.lookUps.taint(key);
  if (key === null) keeper.known.clear();
  else keeper.known.forget(key);
}
