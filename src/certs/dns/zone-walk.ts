/**
 * Finds the zone of an account that holds a name, by asking for the name itself and then for each name above.
 * No list of public suffixes: the account knows which zones it has. Walking from below finds the most specific
 * one, where `example.com` and `dev.example.com` are zones of their own.
 */
import type { Answer } from './answer-shape.ts';
import type { Api } from './api-client.ts';
import { dnsError } from './dns-error.ts';

export interface Zone {
  readonly name: string;
  /** What the API calls it. */
  readonly id: string;
}

export type ZoneOf = (fqdn: string, signal: AbortSignal) => Promise<Zone>;

/** The zone with exactly this name, or null. */
export type FindZone = (name: string, signal: AbortSignal) => Promise<Zone | null>;

interface Account {
  readonly provider: string;
  readonly permission: string;
}

export interface ZoneOfOptions {
  /** 2 where nobody can have a top-level domain; 1 for servers of one's own. */
  readonly fewestLabels?: 1 | 2;
}

/** A found zone is remembered so that a thousand names cost not four thousand questions; a missing one is not. */
export function createZoneOf(account: Account, find: FindZone, { fewestLabels = 2 }: ZoneOfOptions = {}): ZoneOf {
  const known = new Map<string, Zone>();
  return async (fqdn, signal) => {
    for (const name of namesFrom(fqdn, fewestLabels)) {
      const zone = known.get(name) ?? (await find(name, signal));
      if (zone === null) continue;
      known.set(name, zone);
      return zone;
    }
    throw missingZone(fqdn, account);
  };
}

/** For APIs that answer 2xx for the address of a zone that there is, and something known where there is none. */
export function findByStatus(
  api: Api,
  path: string,
  isAbsent: (answer: Answer) => boolean = ({ status }) => status === 404,
): FindZone {
  return async (name, signal) => {
    const answer = await api.send({ step: 'find the zone', path: `${path}/${name}`, pass: isAbsent, signal });
    return isAbsent(answer) ? null : { name, id: name };
  };
}

export function missingZone(fqdn: string, { provider, permission }: Account): Error {
  const remedy = `check that the account has the zone and that ${permission}, or delegate "${fqdn}" by CNAME to a zone that it has`;
  const what = `it has no zone for "${fqdn}"`;
  return dnsError({ code: 'DNS_ZONE_MISSING', step: 'find the zone', provider, what, remedy, facts: { name: fqdn } });
}

/** "a.example.com", "example.com" … down to as many labels. */
export function namesFrom(fqdn: string, fewestLabels: number): string[] {
  const labels = fqdn.split('.');
  return labels
    .slice(0, Math.max(0, labels.length - fewestLabels + 1))
    .map((_, index) => labels.slice(index).join('.'));
}

/** The name below the zone: "" for the zone itself. */
export function labelsBelow(fqdn: string, zone: string): string {
  return fqdn === zone ? '' : fqdn.slice(0, -zone.length - 1);
}
