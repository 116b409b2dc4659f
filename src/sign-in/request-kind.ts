/**
 * Tells a top-level navigation from everything else. Only a navigation is ever sent to sign in:
 * prefetches, frames, fetch, forms, WebSockets and event streams get a 401 that a program can read.
 */

/** HeaderBlock and Headers both are one. Keys are lower-case. */
export interface FieldReader {
  readonly get: (key: string) => string | null | undefined;
}

const HTML = /(?:^|,)\s*(?:text\/html|application\/xhtml\+xml)\s*(?:;|,|$)/i;
const SPECULATIVE = /prefetch|prerender|preview/i;

export function classifyRequest(method: string, headers: FieldReader): 'navigation' | 'other' {
  if (method !== 'GET' || isSpeculative(headers) || present(headers, 'upgrade')) return 'other';
  const mode = headers.get('sec-fetch-mode');
  const destination = headers.get('sec-fetch-dest');
  if (present(headers, 'sec-fetch-mode') || present(headers, 'sec-fetch-dest')) {
    const isTab = destination === 'document' || isPassedOn(headers);
    return mode === 'navigate' && isTab ? 'navigation' : 'other';
  }
  // Browsers send Sec-Fetch only to trustworthy addresses, and old ones not at all.
  if (present(headers, 'x-requested-with')) return 'other';
  return HTML.test(headers.get('accept') ?? '') ? 'navigation' : 'other';
}

/**
 * True where a browser says that this is no navigation of a tab: such a request must have no effect.
 * On an app host, which may have a service worker, a navigation that one passed on counts.
 */
export function isNotTopLevel(headers: FieldReader, on: 'sign-in host' | 'app host' = 'sign-in host'): boolean {
  if (isSpeculative(headers)) return true;
  if (on === 'app host' && isPassedOn(headers)) return false;
  const mode = headers.get('sec-fetch-mode');
  const destination = headers.get('sec-fetch-dest');
  return (
    (present(headers, 'sec-fetch-mode') && mode !== 'navigate') ||
    (present(headers, 'sec-fetch-dest') && destination !== 'document')
  );
}

/**
 * The app's own service worker handed a navigation on with `fetch(event.request)`: Chromium then says
 * "navigate" and "empty". No page can make such a request: fetch() refuses the mode "navigate". A frame
 * of the app may, but gets no further than the sign-in host, which sees what it is.
 */
function isPassedOn(headers: FieldReader): boolean {
  const isNavigation = headers.get('sec-fetch-mode') === 'navigate' && headers.get('sec-fetch-dest') === 'empty';
  return isNavigation && HTML.test(headers.get('accept') ?? '');
}

function isSpeculative(headers: FieldReader): boolean {
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((key) => SPECULATIVE.test(headers.get(key) ?? ''));
}

function present(headers: FieldReader, key: string): boolean {
  const value = headers.get(key);
  return value !== undefined && value !== null;
}
