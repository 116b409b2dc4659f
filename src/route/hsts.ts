import type { Hsts } from '../config/document/tls.ts';

/** As RFC 6797 section 6.1 writes it; null where nothing is to be said. */
export function printHsts(hsts: Hsts | null): string | null {
  if (hsts === null) return null;
  const directives = [`max-age=${Math.floor(hsts.maxAgeMs / 1000)}`];
  if (hsts.includeSubdomains) directives.push('includeSubDomains');
  if (hsts.preload) directives.push('preload');
  return directives.join('; ');
}
