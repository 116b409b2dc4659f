/**
 * Names of certificates against names of hosts (RFC 9525): exact, or one wildcard that stands for
 * exactly one left-most label. The common name never counts. Also tells which names are private, so
 * that no public CA would ever certify them.
 */
import { isIP } from 'node:net';
import { normaliseIp } from '../core/ip-address.ts';
import { LOCAL_SUFFIXES } from '../core/local-names.ts';
import type { X509Certificate } from 'node:crypto';

/**
 * One SAN entry of Node's listing. A quoted value holds characters that no host name has; entries of all
 * kinds are eaten, so that none can smuggle a name in its quotes (CVE-2021-44532).
 */
const SAN_ENTRY = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)/g;

/** DNS names (lower-case) and IP addresses of a certificate. */
export function namesOf(certificate: X509Certificate): string[] {
  const names: string[] = [];
  for (const [, kind, value = ''] of (certificate.subjectAltName ?? '').matchAll(SAN_ENTRY)) {
    if (value === '' || value.startsWith('"')) continue;
    if (kind === 'DNS') names.push(value.toLowerCase());
    const ip = kind === 'IP Address' ? normaliseIp(value) : null;
    if (ip !== null) names.push(ip);
  }
  return names;
}

/** A host as the document and the wire write it, as certificates do: no brackets, no trailing dot. */
export function bareHost(host: string): string {
  if (host.startsWith('[') && host.endsWith(']')) return normaliseIp(host.slice(1, -1)) ?? host;
  return (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase();
}

/** True where a certificate with these names may speak for the host; a wildcard host needs that very wildcard. */
export function coversName(certificateNames: readonly string[], host: string): boolean {
  const name = bareHost(host);
  if (certificateNames.includes(name)) return true;
  if (isIP(name) !== 0 || name.startsWith('*.')) return false;
  const wildcard = wildcardFor(name);
  return wildcard !== null && certificateNames.includes(wildcard);
}

/** "*.example.com" for "app.example.com"; null for a single label. */
export function wildcardFor(name: string): string | null {
  const dot = name.indexOf('.');
  return dot < 1 || dot === name.length - 1 ? null : `*${name.slice(dot)}`;
}

/** True for names below LOCAL_SUFFIXES, wildcards included: they get a local certificate unasked. */
export function isLocalName(host: string): boolean {
  return LOCAL_SUFFIXES.some((suffix) => isBelow(host, suffix));
}

/** The name itself or a subdomain of it, as DNS name constraints count. */
export function isBelow(host: string, suffix: string): boolean {
  return host === suffix || host.endsWith(`.${suffix}`);
}

/** The host of the document that a name belongs to: itself, else the nearest wildcard above it. */
export function nearestHost(name: string, hosts: ReadonlyMap<string, unknown>): string | null {
  if (hosts.has(name)) return name;
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
    const wildcard = `*${name.slice(dot)}`;
    if (hosts.has(wildcard)) return wildcard;
  }
  return null;
}
