/**
 * `allowed_groups`, `allowed_emails` and `allowed_email_domains` of the query: any value of one is enough, and
 * each that is there must hold. One that is there and empty, or that cannot be read, lets nobody in, where
 * oauth2-proxy forgets it and lets everybody in: `?allowed_groups=`, `%zz`, `/ops;x=1`.
 */
import type { AuthSession } from '../auth-session.ts';

export interface Constraints {
  readonly allows: (session: AuthSession) => boolean;
}

/** Queries of front proxies are few and repeated; those of strangers are many. */
const MAX_CACHED = 512;

/** `query` with its "?". Null where it holds no constraint. */
export type ReadConstraints = (query: string) => Constraints | null;

export function createConstraints(allowSemicolons: boolean): ReadConstraints {
  const known = new Map<string, Constraints | null>();
  return (query) => {
    if (query.length < 2) return null;
    const before = known.get(query);
    if (before !== undefined) return before;
    const constraints = compile(query.slice(1), allowSemicolons);
    if (known.size >= MAX_CACHED) known.clear();
    known.set(query, constraints);
    return constraints;
  };
}

const NOBODY: Constraints = { allows: () => false };

interface Wanted {
  groups: Set<string> | null;
  emails: Set<string> | null;
  domains: string[] | null;
}

function compile(query: string, allowSemicolons: boolean): Constraints | null {
  const wanted: Wanted = { groups: null, emails: null, domains: null };
  for (const pair of query.split(allowSemicolons ? /[&;]/ : '&')) {
    const read = readPair(pair);
    if (read === null) {
      if (mayHoldConstraint(pair)) return NOBODY;
      continue;
    }
    const [name, value] = read;
    const values = value.split(',').filter((one) => one !== '');
    if (name === 'allowed_groups') addAll((wanted.groups ??= new Set()), values);
    else if (name === 'allowed_emails') addAll((wanted.emails ??= new Set()), values);
    else if (name === 'allowed_email_domains') (wanted.domains ??= []).push(...values);
  }
  const { groups, emails, domains } = wanted;
  if (groups === null && emails === null && domains === null) return null;
  return {
    allows: (session) =>
      (groups === null || session.groups.some((group) => groups.has(group))) &&
      (emails === null || emails.has(session.email)) &&
      (domains === null || isInDomains(session.email, domains)),
  };
}

function addAll(set: Set<string>, values: readonly string[]): void {
  for (const value of values) set.add(value);
}

/** Null where it cannot be read: a broken escape, or a semicolon, which some read as the end of a pair. */
function readPair(pair: string): readonly [name: string, value: string] | null {
  if (pair.includes(';')) return null;
  const equals = pair.indexOf('=');
  try {
    return equals === -1 ? [decode(pair), ''] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
  } catch {
    return null;
  }
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}

/** Whatever of it can be decoded is. */
function mayHoldConstraint(pair: string): boolean {
  const text = pair.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return text.toLowerCase().includes('allowed_');
}

/** As whitelist domains: `.x` and `*.x` mean x and what is below it. A port is never part of an address. */
function isInDomains(email: string, domains: readonly string[]): boolean {
  const parts = email.split('@');
  const [, domain = ''] = parts;
  return parts.length === 2 && domain !== '' && domains.some((wanted) => isWithin(domain, wanted));
}

function isWithin(domain: string, wanted: string): boolean {
  const name = wanted.replace(/:\*$/, '');
  if (!/^\*?\./.test(name)) return domain === name;
  const bare = name.replace(/^\*?\./, '');
  return bare !== '' && (domain === bare || domain.endsWith(`.${bare}`));
}
