/**
 * Cuts a snapshot into parts and joins them again. A message is copied out in one piece, and that of 10 000
 * hosts kept a worker's event loop busy for tens of milliseconds; parts leave it time for its visitors.
 */
import type { CertificateEntry, CertificateSet } from '../certs/certificate-set.ts';
import type { Document } from '../config/document.ts';

/** Of each list one stretch. */
export interface SnapshotPart {
  readonly hosts: Document['hosts'];
  readonly certificates: readonly CertificateEntry[];
  readonly served: readonly (readonly [host: string, ids: readonly string[]])[];
  readonly onVisit: readonly string[];
  readonly policies: readonly (readonly [host: string, policy: string | null])[];
}

interface Whole {
  readonly document: Document;
  readonly certificates: CertificateSet;
}

/** About 20 kB: half a millisecond of copying. */
const HOSTS_IN_PART = 20;

/** The parts, and the same with empty lists. A small one stays whole. */
export function splitSnapshot<T extends Whole>(
  whole: T,
): { readonly parts: readonly SnapshotPart[]; readonly rest: T } {
  const { document, certificates } = whole;
  const served = [...certificates.hosts];
  const onVisit = [...certificates.onVisit];
  const policies = [...certificates.clientAuth.hosts];
  const most = Math.max(document.hosts.length, certificates.certificates.length, served.length);
  if (most <= HOSTS_IN_PART) return { parts: [], rest: whole };
  const parts: SnapshotPart[] = [];
  for (let from = 0; from < most; from += HOSTS_IN_PART) {
    const to = from + HOSTS_IN_PART;
    parts.push({
      hosts: document.hosts.slice(from, to),
      certificates: certificates.certificates.slice(from, to),
      served: served.slice(from, to),
      onVisit: onVisit.slice(from, to),
      policies: policies.slice(from, to),
    });
  }
  return { parts, rest: { ...whole, document: { ...document, hosts: [] }, certificates: emptied(certificates) } };
}

/** Joins parts as they come, so that the end has nothing left to do. */
export class SnapshotJoiner {
  readonly #hosts: Document['hosts'][number][] = [];
  readonly #certificates: CertificateEntry[] = [];
  readonly #served = new Map<string, readonly string[]>();
  readonly #onVisit = new Set<string>();
  readonly #policies = new Map<string, string | null>();
  #isEmpty = true;

  add(part: SnapshotPart): void {
    this.#isEmpty = false;
    this.#hosts.push(...part.hosts);
    this.#certificates.push(...part.certificates);
    for (const [host, ids] of part.served) this.#served.set(host, ids);
    for (const host of part.onVisit) this.#onVisit.add(host);
    for (const [host, policy] of part.policies) this.#policies.set(host, policy);
  }

  finish<T extends Whole>(rest: T): T {
    if (this.#isEmpty) return rest;
    const { document, certificates } = rest;
    return {
      ...rest,
      document: { ...document, hosts: this.#hosts },
      certificates: {
        ...certificates,
        certificates: this.#certificates,
        hosts: this.#served,
        onVisit: this.#onVisit,
        clientAuth: { ...certificates.clientAuth, hosts: this.#policies },
      },
    };
  }
}

function emptied(certificates: CertificateSet): CertificateSet {
  return {
    ...certificates,
    certificates: [],
    hosts: new Map(),
    onVisit: new Set(),
    clientAuth: { ...certificates.clientAuth, hosts: new Map() },
  };
}
