/**
 * Limits that CAs have published, held against what this Postern was issued: told before an order that would
 * run into one. Others may order for the same domain, so there may be less room than it looks, never more.
 * The names of a domain are counted by its last two labels, three below "co.uk" and its like: a guess without the
 * public suffix list, which errs towards counting too many together. An RSA certificate beside the ECDSA one is a
 * second one for the very same names.
 */
import type { IssuanceEvent } from '../../core/issuance-store.ts';
import { nameSetOf, type Wanted } from './wanted.ts';

const WEEK_MS = 7 * 86_400_000;
const SECOND_LEVEL = new Set(['ac', 'co', 'com', 'edu', 'gov', 'ne', 'net', 'or', 'org']);

interface Limits {
  /** Certificates for the very same names in seven days. */
  readonly sameNames: number;
  /** Certificates for names of one domain in seven days. */
  readonly domain: number;
}

/** By the URL of the directory: only of those whose limits are known. */
const KNOWN: ReadonlyMap<string, Limits> = new Map([
  ['https://acme-v02.api.letsencrypt.org/directory', { sameNames: 5, domain: 50 }],
]);

export interface LimitFinding {
  /** `full`: the CA would refuse. */
  readonly kind: 'near' | 'full';
  readonly message: string;
}

export const LIMIT_WINDOW_MS: number = WEEK_MS;

/** What the CA that comes first would say to an order for this certificate now. */
export function probeLimits(
  { subject, names, policy }: Wanted,
  events: readonly IssuanceEvent[],
  now: number,
): readonly LimitFinding[] {
  const [ca] = policy.cas;
  const limits = ca === undefined ? undefined : KNOWN.get(ca.directory);
  if (ca === undefined || limits === undefined) return [];
  const recent = events.filter((one) => one.directory === ca.directory && one.issuedAt > now - WEEK_MS);
  const same = recent.filter((one) => nameSetOf(one.subject) === nameSetOf(subject));
  const findings = [verdict(same, limits.sameNames, `certificates for exactly "${names.join('", "')}"`, ca.name)];
  for (const domain of new Set(names.map(domainOf))) {
    const sets = new Map<string, IssuanceEvent>();
    // A renewal of the same names does not count against the domain, nor does one with another kind of key.
    for (const one of recent) {
      const set = nameSetOf(one.subject);
      if (set !== nameSetOf(subject) && set.split(' ').some((name) => domainOf(name) === domain)) sets.set(set, one);
    }
    findings.push(verdict([...sets.values()], limits.domain, `certificates for names of "${domain}"`, ca.name));
  }
  return findings.filter((one) => one !== null);
}

function verdict(found: readonly IssuanceEvent[], limit: number, what: string, ca: string): LimitFinding | null {
  if (found.length < Math.ceil(limit * 0.8)) return null;
  const oldest = Math.min(...found.map((one) => one.issuedAt));
  const free = new Date(oldest + WEEK_MS).toISOString().slice(0, 16).replace('T', ' ');
  const said = `${found.length} of the ${limit} ${what} that ${ca} issues in a week were issued here`;
  if (found.length >= limit) return { kind: 'full', message: `${said}; the next is possible from ${free} UTC` };
  return { kind: 'near', message: `${said}; keep the data folder, so that nothing is ordered twice` };
}

function domainOf(name: string): string {
  const labels = name.replace(/^\*\./, '').split('.');
  const isDeep = SECOND_LEVEL.has(labels.at(-2) ?? '') && (labels.at(-1) ?? '').length === 2;
  return labels.slice(isDeep ? -3 : -2).join('.');
}
