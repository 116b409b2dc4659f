/**
 * `whitelist-domains`: "host" alone, ".host" and "*.host" with every name below it; without a port the
 * scheme's own, ":8443" exactly that, ":*" any. Whole labels count, so that "evilexample.com" is not below
 * ".example.com" (GHSA-4mf2).
 */

export interface DomainList {
  /** `port` null: what the scheme implies, which is `defaultPort`. The host is lower-case. */
  readonly has: (host: string, port: number | null, defaultPort: number) => boolean;
}

interface Entry {
  readonly host: string;
  readonly hasSubdomains: boolean;
  /** Null: the scheme's own. */
  readonly port: number | '*' | null;
}

const ENTRY = /^(\*\.|\.)?(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\*|\d{1,5}))?$/;

export function createDomainList(texts: readonly string[]): DomainList {
  const entries = texts.map(parseEntry).filter((entry) => entry !== null);
  return {
    has: (host, port, defaultPort) =>
      entries.some((entry) => isHostOf(entry, host) && isPortOf(entry, port ?? defaultPort, defaultPort)),
  };
}

/** Null for what is no entry: it then names nothing. */
function parseEntry(text: string): Entry | null {
  const [, dot, host, port] = ENTRY.exec(text.trim().toLowerCase()) ?? [];
  if (host === undefined) return null;
  const number = port === undefined || port === '*' ? (port ?? null) : Number(port);
  return { host, hasSubdomains: dot !== undefined, port: number };
}

function isHostOf(entry: Entry, host: string): boolean {
  return host === entry.host || (entry.hasSubdomains && host.endsWith(`.${entry.host}`));
}

function isPortOf(entry: Entry, port: number, defaultPort: number): boolean {
  return entry.port === '*' || port === (entry.port ?? defaultPort);
}
