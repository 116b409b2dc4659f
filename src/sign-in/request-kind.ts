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
    return mode === 'navigate' && destination === 'document' ? 'navigation' : 'other';
  }
  // Browsers send Sec-Fetch only to trustworthy addresses, and old ones not at all.
  if (present(headers, 'x-requested-with')) return 'other';
  return HTML.test(headers.get('accept') ?? '') ? 'navigation' : 'other';
}

/** True where a browser says that this is no navigation of a tab: such a request must have no effect. */
export function isNotTopLevel(headers: FieldReader): boolean {
  if (isSpeculative(headers)) return true;
  const mode = headers.get('sec-fetch-mode');
  const destination = headers.get('sec-fetch-dest');
  return (
    (present(headers, 'sec-fetch-mode') && mode !== 'navigate') ||
    (present(headers, 'sec-fetch-dest') && destination !== 'document')
  );
}

function isSpeculative(headers: FieldReader): boolean {
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((key) => SPECULATIVE.test(headers.get(key) ?? ''));
}

function present(headers: FieldReader, key: string): boolean {
  const value = headers.get(key);
  return value !== undefined && value !== null;
}
