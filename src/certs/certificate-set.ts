/**
 * What the control thread posts to the edge workers: every certificate with its key, which of them
 * serves which name, and whose client certificates are asked for. Plain data that can be cloned.
 * Ids are made of the content, so an unchanged certificate keeps its id over reloads.
 */

import { coversName, nearestHost, wildcardFor } from './names.ts';

export interface CertificateEntry {
  /** Hash of the chain and the public key. */
  readonly id: string;
  /** DNS names (lower-case, wildcards as "*.example.com") and IP addresses it covers. */
  readonly names: readonly string[];
  /** Leaf first, then its issuers. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly keyType: 'ec' | 'rsa' | 'other';
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  readonly source: 'file' | 'uploaded' | 'local' | 'acme';
}

export interface ClientAuthPolicy {
  /** Hash of mode and CAs: another CA set is another policy, so no ticket of the old one counts. */
  readonly policyId: string;
  readonly ca: string[];
  readonly mode: 'request' | 'require';
}

export interface CertificateSet {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly certificates: readonly CertificateEntry[];
  /** Host of the document, exact or wildcard -> ids, best first. Empty: no certificate, or `tls: off`. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  /**
   * Hosts whose local certificate is made, or read from the disk, when somebody first visits them; nothing is in
   * `hosts` for them until then: see growSet.
   */
  readonly onVisit: ReadonlySet<string>;
  /** Names of visitors below wildcards or of nobody, that have a certificate of their own -> ids. */
  readonly demanded: ReadonlyMap<string, readonly string[]>;
  /** Names that no host of the document has: certificate name -> ids, of tls.certificates and of `default`. */
  readonly others: ReadonlyMap<string, readonly string[]>;
  /** Served to clients that send no name (SNI): `default`'s certificate, or that of the one host that is an IP address. */
  readonly withoutName: readonly string[];
  readonly clientAuth: {
    readonly policies: readonly ClientAuthPolicy[];
    /** Host of the document -> policy id, or null where it asks for none. */
    readonly hosts: ReadonlyMap<string, string | null>;
    /** Policy of `default`. */
    readonly others: string | null;
    /** Policy of whose certificate `withoutName` is. */
    readonly withoutName: string | null;
  };
}

export const EMPTY_CERTIFICATE_SET: CertificateSet = {
  minVersion: 'TLSv1.2',
  certificates: [],
  hosts: new Map(),
  onVisit: new Set(),
  demanded: new Map(),
  others: new Map(),
  withoutName: [],
  clientAuth: { policies: [], hosts: new Map(), others: null, withoutName: null },
};

/** Of what the name's visitors may be served, best first. */
export function idsFor({ hosts, demanded, others }: CertificateSet, name: string): readonly string[] {
  const host = nearestHost(name, hosts);
  const own = host === name ? undefined : demanded.get(name);
  if (own !== undefined) return own;
  if (host !== null) return hosts.get(host) ?? [];
  return others.get(name) ?? others.get(wildcardFor(name) ?? '') ?? [];
}

/** What visitors of the name are served as long as it is valid; null: nothing that they would take. */
export function validFor(set: CertificateSet, name: string, now: number): CertificateEntry | null {
  const ids = idsFor(set, name);
  const isGood = ({ id, names, notAfter }: CertificateEntry): boolean =>
    ids.includes(id) && notAfter > now && coversName(names, name);
  return set.certificates.find(isGood) ?? null;
}

/** The local certificate of a host that had none until somebody came. */
export interface LateCertificate {
  readonly host: string;
  readonly entry: CertificateEntry;
}

/**
 * Puts a late certificate into its owner's set: the one way in which a set grows, since a copy for each first visit of
 * 10 000 hosts would cost more than all of their certificates. Nothing that is there changes. False where the set
 * has no place for it.
 */
export function growSet(set: CertificateSet, { host, entry }: LateCertificate): boolean {
  if (!set.onVisit.has(host)) return false;
  if (set.hosts.get(host)?.includes(entry.id) === true) return true;
  (set.certificates as CertificateEntry[]).push(entry);
  (set.hosts as Map<string, readonly string[]>).set(host, [entry.id]);
  return true;
}
