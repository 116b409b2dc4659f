/** What a listed difference is made of, and what ours must be where a pattern does not say it. */
/** Where a difference shows; `cases` is matched against `CONFIGURATION/CASE · STEP`. */
export type Where = OtherFacet | OtherAnswer;

/** One facet of the answer is another, the rest is the same. */
export interface OtherFacet {
  readonly kind: 'facet';
  readonly cases: RegExp;
  /** `status`, `body`, the name of a field, `application ...` for what the application received. */
  readonly facets: RegExp;
  readonly original?: RegExp;
  /** What ours must be; a function makes it from the original's. */
  readonly postern?: RegExp | ((original: string) => string);
}

/** Another answer as a whole: from that status to one of these. */
export interface OtherAnswer {
  readonly kind: 'answer';
  readonly cases: RegExp;
  readonly from: string;
  readonly to: RegExp;
}

export interface Difference {
  readonly id: string;
  readonly original: string;
  readonly postern: string;
  readonly reason: string;
  readonly where: readonly Where[];
}

export const ANY: RegExp = /./;
export const NONE: RegExp = /^\(none\)$/;
const OWN_COOKIE: RegExp =
  /(?:_oauth2_proxy|_front|_from_env|__Host-front|__Secure-door|door\.x)\w*=<value>(?:[,;] ?)?/g;

export const facet = (
  cases: RegExp,
  facets: RegExp,
  more: Omit<OtherFacet, 'kind' | 'cases' | 'facets'> = {},
): OtherFacet => ({
  kind: 'facet',
  cases,
  facets,
  ...more,
});
export const answer = (cases: RegExp, from: number | string, to: number | RegExp): OtherAnswer => ({
  kind: 'answer',
  cases,
  from: String(from),
  to: typeof to === 'number' ? new RegExp(`^${to}$`) : to,
});

export const withParameters =
  (...more: readonly string[]) =>
  (original: string): string => {
    const at = original.indexOf('?') + 1;
    const parameters = new Set([...original.slice(at).split(' '), ...more]);
    return original.slice(0, at) + [...parameters].sort().join(' ');
  };
export const PKCE: readonly string[] = ['code_challenge=<code_challenge>', 'code_challenge_method=S256'];
export const withoutOwnCookie = (original: string): string =>
  original.replaceAll(OWN_COOKIE, '').replace(/; $/, '') || '(none)';
/** The cookie that ours has for each sign-in under way, by the line of the one that both have. */
const forEachSignIn = (line: string): string => {
  const isOfHost = / Path=\/;.* Secure/.test(line) && !line.includes('Domain=') && !line.startsWith('__Host-');
  return `${isOfHost ? '__Host-' : ''}${line.replace(/_csrf=/, '_<request>_csrf=')}`;
};
/** The session first, then what is about the sign-in. */
export const withSignIn = (original: string): string => {
  const lines = original.split('\n');
  const csrf = lines.find((line) => line.includes('_csrf=')) ?? '';
  return [...lines.filter((line) => line !== csrf), csrf, forEachSignIn(csrf)].join('\n');
};
export const once = (original: string): string => [...new Set(original.split('\n'))].join('\n');

export const PAGE_FIELDS: RegExp =
  /^(?:content-security-policy|x-frame-options|referrer-policy|permissions-policy|cross-origin-.*|vary)$/;
export const WRITTEN: RegExp = /^application (?:x-forwarded-(?:for|port|proto|host)|x-real-ip|x-request-id|via)$/;
export const NO_CACHE: RegExp = /^(?:cache-control|expires|x-accel-expires)$/;
