/**
 * Set-Cookie of `postern forward-auth`, with oauth2-proxy's attributes in its order. The domain is the
 * longest configured one that holds the visitor's host by RFC 6265 section 5.1.3: whole labels, so that
 * "evilexample.com" is no host of "example.com" (GHSA-4mf2).
 */
import { serialiseCookie } from '../wire/cookies.ts';
import { HeaderBlock } from '../wire/header-block.ts';
import type { CookieSettings } from './settings.ts';

export interface CookieText {
  /** The session's attributes; `maxAgeMs` null: until the browser closes, 0: removes it. */
  readonly session: (name: string, value: string, host: string, maxAgeMs: number | null) => string;
  /** Those of a sign-in that is under way. */
  readonly csrf: (name: string, value: string, host: string, maxAgeMs: number | null) => string;
  /** Removes a cookie for every domain and path from which a page of this host may have got it. */
  readonly sweep: (name: string, host: string, paths: readonly string[]) => readonly string[];
}

type Traits = Pick<CookieSettings, 'domains' | 'path' | 'secure' | 'httpOnly' | 'sameSite' | 'csrfSameSite'>;
type SameSite = Traits['sameSite'];

export function createCookieText(settings: Traits): CookieText {
  const domains = settings.domains.map(bareDomain).sort((one, other) => other.length - one.length);
  const write =
    (sameSite: SameSite, httpOnly: boolean): CookieText['session'] =>
    (name, value, host, maxAgeMs) => {
      const isHostOnly = hasPrefix(name, '__host-');
      return serialiseCookie(name, value, {
        // Browsers refuse either prefix without Secure, and `__Host-` with a domain or a path (RFC 6265bis section 4.1.3).
        secure: settings.secure || isHostOnly || hasPrefix(name, '__secure-'),
        httpOnly,
        sameSite: sameSiteOf(sameSite),
        path: isHostOnly ? '/' : settings.path,
        domain: isHostOnly ? null : domainFor(domains, host),
        ...(maxAgeMs !== null && { maxAge: Math.floor(maxAgeMs / 1_000) }),
      });
    };
  return {
    session: write(settings.sameSite, settings.httpOnly),
    // No script ever needs this one.
    csrf: write(settings.csrfSameSite === '' ? settings.sameSite : settings.csrfSameSite, true),
    sweep: (name, host, paths) => {
      if (hasPrefix(name, '__host-')) return [serialiseCookie(name, '', { secure: true, maxAge: 0, sameSite: null })];
      const places = [null, ...domains.filter((domain) => isWithinDomain(host, domain))];
      const all = [...new Set([settings.path, '/', ...paths])];
      const secure = settings.secure || hasPrefix(name, '__');
      return all.flatMap((path) =>
        places.map((domain) => serialiseCookie(name, '', { secure, path, domain, maxAge: 0, sameSite: null })),
      );
    },
  };
}

/**
 * The longest domain that holds the host. Where none does, the shortest: a front proxy may have hidden the
 * name that the browser knows, and a browser takes no cookie for a domain that is not its page's.
 */
function domainFor(longestFirst: readonly string[], host: string): string | null {
  const found = longestFirst.find((domain) => isWithinDomain(host, domain));
  return found ?? longestFirst.at(-1) ?? null;
}

/** Whether `host` is `domain` or a name below it. Both without port; case does not count. */
export function isWithinDomain(host: string, domain: string): boolean {
  const [name, bare] = [host.toLowerCase().replace(/\.$/, ''), bareDomain(domain)];
  return name === bare || (bare !== '' && name.endsWith(`.${bare}`));
}

/** Browsers ignore the dot before a domain; the original does not write it either. */
function bareDomain(domain: string): string {
  return domain.toLowerCase().replace(/^\./, '');
}

function hasPrefix(name: string, prefix: string): boolean {
  return name.toLowerCase().startsWith(prefix);
}

function sameSiteOf(value: SameSite): 'Strict' | 'Lax' | 'None' | null {
  switch (value) {
    case 'strict':
      return 'Strict';
    case 'lax':
      return 'Lax';
    case 'none':
      return 'None';
    default:
      return null;
  }
}

/** What a browser would bring that took these lines: to end a session of which nobody has seen the cookie. */
export function broughtBy(lines: readonly string[]): HeaderBlock {
  const pairs = lines.map((line) => line.split(';', 1)[0] ?? '').filter((pair) => !pair.endsWith('='));
  return HeaderBlock.from({ Cookie: pairs.join('; ') });
}
