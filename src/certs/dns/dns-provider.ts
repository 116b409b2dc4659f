/**
 * What the ACME client sees of DNS: a provider that keeps TXT values, a publisher that makes a value
 * visible to the CA, and the journal that remembers what still has to be removed. Names are fully
 * qualified, in lower case, without the trailing dot: `_acme-challenge.app.example`.
 */

/**
 * One account at a DNS provider. The values of a name are a set: adding a second keeps the first (parallel
 * orders for `a.example` and `*.a.example`), removing one keeps the others, and both are idempotent. The name
 * is where the record really goes; CNAMEs are the publisher's business.
 */
export interface DnsProvider {
  /** The key in the document's `dns:`. */
  readonly name: string;
  /**
   * How many values one name can hold, where that is few: 1 at DuckDNS, 2 at acme-dns. The publisher lets
   * further ones wait until an earlier one is withdrawn.
   */
  readonly valuesPerName?: number;
  /** Names that share those places, where it is not each name: DuckDNS has one value for a domain and all below. */
  readonly placeOf?: (fqdn: string) => string;
  readonly setTxt: (fqdn: string, value: string, signal: AbortSignal) => Promise<void>;
  readonly removeTxt: (fqdn: string, value: string, signal: AbortSignal) => Promise<void>;
}

/** A value that was, or was about to be, set. `fqdn` is where it went, behind every CNAME. */
export interface TxtRecord {
  /** The name of the DnsProvider. */
  readonly provider: string;
  readonly fqdn: string;
  readonly value: string;
}

/**
 * Outlives the process: a record is added before it is set, and removed after it is gone, so that whatever
 * `list` gives at start is to be cleaned up. `add` returns once that is durable. Both are idempotent.
 */
export interface TxtJournal {
  readonly add: (record: TxtRecord) => Promise<void>;
  readonly remove: (record: TxtRecord) => Promise<void>;
  readonly list: () => Promise<readonly TxtRecord[]>;
}

/**
 * What an order uses. Each of its authorisations goes its own way side by side: publish, answer the challenge,
 * wait for the CA, withdraw. None waits for another's publish before it answers, else two values of one name
 * at a provider that holds only one would wait for each other.
 */
export interface TxtPublisher {
  /**
   * Follows CNAMEs from the name, journals, sets the value, and returns once every authoritative server
   * answers with it. Throws a PosternError `DNS_…` that names host, step, the provider's words and a remedy.
   */
  readonly publish: (fqdn: string, value: string, signal: AbortSignal) => Promise<void>;
  /** Removes what publish set, also where that failed half-way. Throws where the provider refuses; the journal keeps it then. */
  readonly withdraw: (fqdn: string, value: string, signal: AbortSignal) => Promise<void>;
  /** Removes what an earlier process left in the journal. Gives what could not be removed yet, with the reasons. */
  readonly withdrawLeftovers: (signal: AbortSignal) => Promise<readonly Leftover[]>;
}

export interface Leftover extends TxtRecord {
  readonly error: unknown;
}
