/**
 * Whether a WebSocket may ride on a session: browsers open them across origins with cookies and ask nobody
 * (RFC 6455 section 10.2). The page must be of the host that was asked, of the redirect URL's, or of one that
 * the settings name as ours. A client that names no origin is no browser.
 */
import { isWithinDomain } from '../cookie-text.ts';
import type { Settings } from '../settings.ts';
import type { ServedRequest } from './served-request.ts';

type Own = Pick<Settings, 'redirects' | 'cookie'>;

export function createUpgradeOrigins({ redirects, cookie }: Own): (request: ServedRequest) => boolean {
  const callback = redirects.callbackUrl === null ? null : hostOf(redirects.callbackUrl);
  const domains = [...redirects.whitelist, ...cookie.domains].map((entry) =>
    entry.replace(/^\*?\./, '').replace(/:(?:\*|\d+)$/, ''),
  );
  return ({ exchange, visitorHost }) => {
    const { headers } = exchange.request;
    const origin = headers.get('origin');
    if (origin === undefined) return true;
    if (headers.count('origin') > 1) return false;
    const host = hostOf(origin);
    if (host === null) return false;
    return host === visitorHost || host === callback || domains.some((domain) => isWithinDomain(host, domain));
  };
}

function hostOf(url: string): string | null {
  return URL.parse(url)?.hostname.toLowerCase() ?? null;
}
