/**
 * What this browser has begun: for each sign-in a sealed cookie of its own, so that tabs never overwrite each other's,
 * not even when a browser opens all of them at once; and under oauth2-proxy's one name the last of them, unless
 * `cookie-csrf-per-request`. A sign-in has a secret, from which nonce and PKCE verifier derive. Where nothing
 * stands against it, a cookie has the prefix "__Host-", which no neighbour host can set; of two different cookies
 * of one name none counts.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { sealJson, unsealJson } from '../../session/seal.ts';
import { cookieValues } from '../../wire/cookies.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { CookieText } from '../cookie-text.ts';
import type { CookieSettings } from '../settings.ts';
import { hmacText, type FlowKeys } from './keys.ts';

/** A sign-in that is under way in this browser. */
export interface Pending {
  readonly id: string;
  readonly secret: string;
  readonly startedAt: number;
  /** Whether the provider was given a challenge: only then it gets the verifier. */
  readonly hasChallenge: boolean;
}

export type FoundPending =
  | { readonly kind: 'pending'; readonly pending: Pending }
  | { readonly kind: 'none'; readonly reason: 'missing' | 'expired' | 'ambiguous' | 'unreadable' | 'other' };

export interface CsrfCookies {
  /** How long a sign-in may take. */
  readonly lifeMs: number;
  /** The cookies that remember one more. */
  readonly add: (headers: HeaderBlock, host: string, pending: Pending) => readonly string[];
  readonly find: (headers: HeaderBlock, id: string) => FoundPending;
  /** Forgets one sign-in, and what cannot be read. */
  readonly finish: (headers: HeaderBlock, host: string, id: string) => readonly string[];
}

export interface CsrfCookieDeps {
  readonly settings: CookieSettings;
  readonly prefix: string;
  readonly text: CookieText;
  readonly keys: () => FlowKeys;
  readonly clock: Clock;
}

/** Sign-ins of one browser at the same time, where the operator names no other limit. */
const MAX_TOGETHER = 6;
const MAX_PER_REQUEST = 10;
/** More than browsers and front proxies take in one head. */
const MAX_LIMIT = 30;
/** With an expiry of 0 the browser decides; ours ends all the same. */
const LONGEST_MS = 24 * 3_600_000;
const PURPOSE = 'forward-auth/csrf';

export function createCsrfCookies(deps: CsrfCookieDeps): CsrfCookies {
  const names = namesOf(deps.settings);
  return {
    lifeMs: lifeOf(deps),
    add(headers, host, pending) {
      const shared = names.shared === null ? [] : [write(deps, names.shared, host, pending)];
      const isPlanted = names.shared !== null && readCookie(deps, headers, names.shared).kind === 'ambiguous';
      return [
        ...(isPlanted ? sweep(deps, names.shared ?? '', host) : []),
        ...shared,
        ...oldest(deps, names, headers).map((name) => deps.text.csrf(name, '', host, 0)),
        write(deps, names.own(pending.id), host, pending),
      ];
    },
    find(headers, id) {
      const own = readCookie(deps, headers, names.own(id));
      const isShared = own.kind === 'missing' && names.shared !== null && !names.isHostOnly;
      return findIn(deps, isShared ? readCookie(deps, headers, names.shared ?? '') : own, id);
    },
    finish(headers, host, id) {
      return [names.shared, names.own(id)].flatMap((name) =>
        name === null ? [] : forget(deps, headers, host, name, id),
      );
    },
  };
}

interface CsrfNames {
  /** Null: there is none. */
  readonly shared: string | null;
  readonly own: (id: string) => string;
  readonly isHostOnly: boolean;
  /** Which names are those of single sign-ins. */
  readonly pattern: RegExp;
}

function namesOf({ name, csrfPerRequest, secure, domains }: CookieSettings): CsrfNames {
  // The one name is a contract; so is the other where it is asked for. Else it is ours to choose.
  const isHostOnly = !csrfPerRequest && secure && domains.length === 0 && !name.startsWith('__');
  const base = isHostOnly ? `__Host-${name}` : name;
  return {
    shared: csrfPerRequest ? null : `${name}_csrf`,
    own: (id) => `${base}_${id.slice(0, 8)}_csrf`,
    isHostOnly,
    pattern: new RegExp(`^${base.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')}_[\\w-]{8}_csrf$`),
  };
}

// oxlint-disable-next-line max-params -- one cookie of one request
function forget(deps: CsrfCookieDeps, headers: HeaderBlock, host: string, name: string, id: string): readonly string[] {
  const read = readCookie(deps, headers, name);
  if (read.kind === 'missing') return [];
  if (read.kind === 'ambiguous') return sweep(deps, name, host);
  // The last of several that are under way stays.
  const isOther = read.known !== null && read.known.id !== id && isFresh(deps, read.known);
  return isOther ? [] : [deps.text.csrf(name, '', host, 0)];
}

export function codeVerifier(pending: Pick<Pending, 'secret'>): string {
  return hmacText(pending.secret, 'verifier');
}

export function nonceOf(pending: Pick<Pending, 'secret'>): string {
  return hmacText(pending.secret, 'nonce');
}

/** RFC 7636 section 4.2. */
export function codeChallenge(pending: Pick<Pending, 'secret'>, method: 'S256' | 'plain'): string {
  const verifier = codeVerifier(pending);
  return method === 'plain' ? verifier : hash('sha256', verifier, 'base64url');
}

/** Names of the cookies that must go so that one more fits. */
function oldest(deps: CsrfCookieDeps, names: CsrfNames, headers: HeaderBlock): string[] {
  const { csrfPerRequest, csrfPerRequestLimit: limit } = deps.settings;
  const byDefault = csrfPerRequest ? MAX_PER_REQUEST : MAX_TOGETHER;
  const most = csrfPerRequest && limit > 0 ? Math.min(limit, MAX_LIMIT) : byDefault;
  const present = cookieNames(headers).filter((name) => names.pattern.test(name));
  const startedAt = (name: string): number => readCookie(deps, headers, name).known?.startedAt ?? 0;
  const byAge = present.map((name) => ({ name, at: startedAt(name) })).sort((one, other) => one.at - other.at);
  return byAge.slice(0, Math.max(0, present.length + 1 - most)).map(({ name }) => name);
}

function cookieNames(headers: HeaderBlock): string[] {
  const pairs = headers.getAll('cookie').flatMap((line) => line.split(';'));
  return [...new Set(pairs.map((pair) => (pair.split('=', 1)[0] ?? '').replaceAll(/^[ \t]+|[ \t]+$/g, '')))];
}

interface ReadCookie {
  readonly kind: 'read' | 'missing' | 'ambiguous' | 'unreadable';
  readonly known: Pending | null;
}

function readCookie(deps: CsrfCookieDeps, headers: HeaderBlock, name: string): ReadCookie {
  const values = new Set(cookieValues(headers, name).map((value) => value.replace(/^"(.*)"$/, '$1')));
  const [value] = values;
  if (value === undefined || (values.size === 1 && value === '')) return { kind: 'missing', known: null };
  if (values.size > 1) return { kind: 'ambiguous', known: null };
  const known = parsePending(unsealJson(deps.keys().seal, `${PURPOSE}/${name}`, value));
  return { kind: known === null ? 'unreadable' : 'read', known };
}

function parsePending(value: unknown): Pending | null {
  if (!Array.isArray(value)) return null;
  const [id, secret, startedAt, challenge] = value as [string, string, number, number];
  return { id, secret, startedAt, hasChallenge: challenge === 1 };
}

function findIn(deps: CsrfCookieDeps, { kind, known }: ReadCookie, id: string): FoundPending {
  if (known === null) return { kind: 'none', reason: kind === 'read' ? 'unreadable' : kind };
  if (known.id !== id) return { kind: 'none', reason: 'other' };
  return isFresh(deps, known) ? { kind: 'pending', pending: known } : { kind: 'none', reason: 'expired' };
}

function lifeOf({ settings }: CsrfCookieDeps): number {
  return settings.csrfExpireMs > 0 ? settings.csrfExpireMs : LONGEST_MS;
}

function isFresh(deps: CsrfCookieDeps, pending: Pending): boolean {
  return deps.clock.now() < pending.startedAt + lifeOf(deps);
}

export function newPending(clock: Clock): Omit<Pending, 'hasChallenge'> {
  return {
    id: randomBytes(16).toString('base64url'),
    secret: randomBytes(32).toString('base64url'),
    startedAt: clock.now(),
  };
}

function write(deps: CsrfCookieDeps, name: string, host: string, pending: Pending): string {
  const { id, secret, startedAt, hasChallenge } = pending;
  const value = sealJson(deps.keys().seal, `${PURPOSE}/${name}`, [id, secret, startedAt, hasChallenge ? 1 : 0]);
  return deps.text.csrf(name, value, host, deps.settings.csrfExpireMs > 0 ? deps.settings.csrfExpireMs : null);
}

/** So that the next try works whoever set the other cookie. */
function sweep({ text, prefix }: CsrfCookieDeps, name: string, host: string): readonly string[] {
  return text.sweep(name, host, [prefix, `${prefix}/callback`]);
}
