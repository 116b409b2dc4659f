/**
 * What this browser has begun: one sealed cookie with the last few sign-ins, so that several tabs work, or one
 * cookie for each with `cookie-csrf-per-request`. A sign-in has a secret of its own, from which nonce and PKCE
 * verifier derive. Of two different cookies of one name none counts: a neighbour host may have planted one.
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

/** Tabs of one browser that may sign in at the same time. */
const MAX_TOGETHER = 6;
/** Cookies in the per-request variant where the operator names no limit. */
const MAX_COOKIES = 10;
/** With an expiry of 0 the browser decides; ours ends all the same. */
const LONGEST_MS = 24 * 3_600_000;
const PURPOSE = 'forward-auth/csrf';

export function createCsrfCookies(deps: CsrfCookieDeps): CsrfCookies {
  return deps.settings.csrfPerRequest ? perRequest(deps) : together(deps);
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

function together(deps: CsrfCookieDeps): CsrfCookies {
  const name = `${deps.settings.name}_csrf`;
  return {
    lifeMs: lifeOf(deps),
    add(headers, host, pending) {
      const read = readCookie(deps, headers, name);
      const swept = read.kind === 'ambiguous' ? sweep(deps, name, host) : [];
      const others = read.known.filter((one) => isFresh(deps, one)).slice(1 - MAX_TOGETHER);
      return [...swept, write(deps, name, host, [...others, pending])];
    },
    find: (headers, id) => findIn(deps, readCookie(deps, headers, name), id),
    finish(headers, host, id) {
      const read = readCookie(deps, headers, name);
      if (read.kind === 'missing') return [];
      if (read.kind === 'ambiguous') return sweep(deps, name, host);
      return [
        write(
          deps,
          name,
          host,
          read.known.filter((one) => one.id !== id && isFresh(deps, one)),
        ),
      ];
    },
  };
}

function perRequest(deps: CsrfCookieDeps): CsrfCookies {
  const nameFor = (id: string): string => `${deps.settings.name}_${id.slice(0, 8)}_csrf`;
  return {
    lifeMs: lifeOf(deps),
    add(headers, host, pending) {
      const superfluous = oldest(deps, headers).map((name) => deps.text.csrf(name, '', host, 0));
      return [...superfluous, write(deps, nameFor(pending.id), host, [pending])];
    },
    find: (headers, id) => findIn(deps, readCookie(deps, headers, nameFor(id)), id),
    finish(headers, host, id) {
      const read = readCookie(deps, headers, nameFor(id));
      if (read.kind === 'missing') return [];
      return read.kind === 'ambiguous' ? sweep(deps, nameFor(id), host) : [deps.text.csrf(nameFor(id), '', host, 0)];
    },
  };
}

/** Names of the cookies that must go so that one more fits. */
function oldest(deps: CsrfCookieDeps, headers: HeaderBlock): string[] {
  const limit = deps.settings.csrfPerRequestLimit;
  const most = limit > 0 ? Math.min(limit, MAX_COOKIES) : MAX_COOKIES;
  const names = [...new Set(perRequestNames(deps.settings.name, headers))];
  const startedAt = (name: string): number => readCookie(deps, headers, name).known[0]?.startedAt ?? 0;
  const byAge = names.map((name) => ({ name, at: startedAt(name) })).sort((one, other) => one.at - other.at);
  return byAge.slice(0, Math.max(0, names.length + 1 - most)).map(({ name }) => name);
}

function perRequestNames(base: string, headers: HeaderBlock): string[] {
  const found: string[] = [];
  for (const line of headers.getAll('cookie')) {
    for (const pair of line.split(';')) {
      const name = pair.split('=', 1)[0]?.replaceAll(/^[ \t]+|[ \t]+$/g, '') ?? '';
      const isOwn = name.length === base.length + 14 && name.startsWith(`${base}_`) && name.endsWith('_csrf');
      if (isOwn && /^[\w-]{8}$/.test(name.slice(base.length + 1, -5))) found.push(name);
    }
  }
  return found;
}

interface ReadCookie {
  readonly kind: 'read' | 'missing' | 'ambiguous' | 'unreadable';
  readonly known: readonly Pending[];
}

function readCookie(deps: CsrfCookieDeps, headers: HeaderBlock, name: string): ReadCookie {
  const values = new Set(cookieValues(headers, name).map((value) => value.replace(/^"(.*)"$/, '$1')));
  const [value] = values;
  if (value === undefined || (values.size === 1 && value === '')) return { kind: 'missing', known: [] };
  if (values.size > 1) return { kind: 'ambiguous', known: [] };
  const known = parsePendings(unsealJson(deps.keys().seal, `${PURPOSE}/${name}`, value));
  return known === null ? { kind: 'unreadable', known: [] } : { kind: 'read', known };
}

function parsePendings(value: unknown): Pending[] | null {
  if (!Array.isArray(value)) return null;
  return value.map((entry) => {
    const [id, secret, startedAt, challenge] = entry as [string, string, number, number];
    return { id, secret, startedAt, hasChallenge: challenge === 1 };
  });
}

function findIn(deps: CsrfCookieDeps, read: ReadCookie, id: string): FoundPending {
  if (read.kind !== 'read') return { kind: 'none', reason: read.kind };
  const pending = read.known.find((one) => one.id === id);
  if (pending === undefined) return { kind: 'none', reason: 'other' };
  return isFresh(deps, pending) ? { kind: 'pending', pending } : { kind: 'none', reason: 'expired' };
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

function write(deps: CsrfCookieDeps, name: string, host: string, known: readonly Pending[]): string {
  if (known.length === 0) return deps.text.csrf(name, '', host, 0);
  const entries = known.map(({ id, secret, startedAt, hasChallenge }) => [id, secret, startedAt, hasChallenge ? 1 : 0]);
  const value = sealJson(deps.keys().seal, `${PURPOSE}/${name}`, entries);
  return deps.text.csrf(name, value, host, deps.settings.csrfExpireMs > 0 ? deps.settings.csrfExpireMs : null);
}

/** So that the next try works whoever set the other cookie. */
function sweep({ text, prefix }: CsrfCookieDeps, name: string, host: string): readonly string[] {
  return text.sweep(name, host, [prefix, `${prefix}/callback`]);
}
