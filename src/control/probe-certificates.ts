/**
 * `postern check --live` for certificates: why an order would fail, found out before the CA counts it. Asks
 * DNS as the CA will (addresses, CAA), and the CA for its directory. Orders nothing, changes nothing.
 */
import { isIP } from 'node:net';
import { probeLimits } from '../certs/issuance/ca-limits.ts';
import { isPublicName, nameSetOf } from '../certs/issuance/wanted.ts';
import type { IssuanceEvent } from '../core/issuance-store.ts';
import type { AcmeCa, Wanted } from '../certs/issuance/wanted.ts';

export interface CertificateFinding {
  /** `hint`: may be as it should, and is worth a look. */
  readonly kind: 'good' | 'hint' | 'error';
  readonly message: string;
}

export interface CaaRecord {
  readonly tag: string;
  readonly value: string;
}

/** What was asked: an empty list says that there is none; a rejection that nobody answered. */
export interface DnsQuestions {
  readonly addresses: (name: string) => Promise<readonly string[]>;
  readonly caa: (name: string) => Promise<readonly CaaRecord[]>;
}

export interface CertificateProbe {
  readonly dns: DnsQuestions;
  /** Tries to connect from here, as far as that says something about others. */
  readonly connect: (address: string, port: number) => Promise<'open' | 'closed' | 'silent'>;
  /** Names by which a CA is meant in CAA records; empty where it does not say. Rejects where it does not answer. */
  readonly caaIdentities: (ca: AcmeCa) => Promise<readonly string[]>;
  /** What CAs issued to this Postern in the last days. */
  readonly issued: readonly IssuanceEvent[];
  /** Addresses of this machine. */
  readonly own: readonly string[];
  /** Ports of plain HTTP and of HTTPS that the document listens on. */
  readonly ports: readonly number[];
}

export async function* probeCertificates(
  wanted: readonly Wanted[],
  probe: CertificateProbe,
): AsyncGenerator<CertificateFinding> {
  const identities = new Map<string, readonly string[]>();
  for (const ca of new Map(wanted.flatMap(({ policy }) => policy.cas.map((one) => [one.directory, one]))).values()) {
    try {
      identities.set(ca.directory, await probe.caaIdentities(ca));
      yield { kind: 'good', message: `CA "${ca.name}" answers` };
    } catch (error) {
      yield { kind: 'error', message: `Cannot reach CA "${ca.name}": ${wordsOf(error)}` };
    }
  }
  // Two kinds of key are one question.
  for (const one of new Map(wanted.map((each) => [nameSetOf(each.subject), each])).values()) {
    const { names, policy } = one;
    for (const { kind, message } of probeLimits(one, probe.issued, Date.now()))
      yield { kind: kind === 'full' ? 'error' : 'hint', message };
    const allowed = policy.cas.flatMap((ca) => identities.get(ca.directory) ?? []);
    for (const name of names) {
      if (isIP(name) !== 0) continue;
      const found = [
        ...(await probeAddress(name, policy.challenges, probe)),
        ...(await probeCaa(name, allowed, probe)),
      ];
      yield* found;
      if (found.every(({ kind }) => kind === 'good'))
        yield { kind: 'good', message: `"${name}": nothing in DNS is in the way` };
    }
  }
}

/** Where the CA comes to look: only what it does by HTTP or TLS needs an address. */
async function probeAddress(
  name: string,
  challenges: readonly string[],
  probe: CertificateProbe,
): Promise<readonly CertificateFinding[]> {
  const { dns, own, ports } = probe;
  const isVisited = challenges.some((one) => one === 'http-01' || one === 'tls-alpn-01');
  if (!isVisited || name.startsWith('*.')) return [];
  let addresses: readonly string[];
  try {
    addresses = await dns.addresses(name);
  } catch (error) {
    return [{ kind: 'error', message: `Cannot look up "${name}": ${wordsOf(error)}` }];
  }
  if (addresses.length === 0) {
    const remedy = 'add an A or AAAA record that leads here, or prove it by dns-01';
    return [{ kind: 'error', message: `"${name}" has no address in DNS, so the CA could not come to look; ${remedy}` }];
  }
  const port = challenges.includes('http-01') ? 80 : 443;
  const hidden = addresses.filter((address) => !isPublicName(address));
  const foreign = addresses.filter((address) => !own.includes(address));
  const findings: CertificateFinding[] = [];
  if (hidden.length > 0) {
    const message = `"${name}" points to ${hidden.join(' and ')}, where a public CA cannot come; right for a CA of your own, else prove it by dns-01`;
    findings.push({ kind: 'hint', message });
  }
  if (foreign.length > 0) {
    const all = foreign.join(' and ');
    const only = foreign.length === addresses.length ? 'points to' : 'also points to';
    const message = `"${name}" ${only} ${all}, no address of this machine; right where a router, a load balancer or a CDN there passes port ${port} on`;
    findings.push({ kind: 'hint', message });
  }
  if (!ports.includes(port)) {
    const message = `"${name}" is proved on port ${port}, but the document does not listen there; right where the port is mapped`;
    findings.push({ kind: 'hint', message });
  }
  return [...findings, ...(await probePort(name, port, addresses, probe))];
}

/** From here the way may be another than the CA's, and Postern may not run yet: nothing of it is an error. */
// oxlint-disable-next-line max-params -- where to knock, and how
async function probePort(
  name: string,
  port: number,
  addresses: readonly string[],
  { connect }: CertificateProbe,
): Promise<readonly CertificateFinding[]> {
  const knocks = addresses.map(async (address) => ({ address, answer: await connect(address, port) }));
  const findings: CertificateFinding[] = [];
  for (const { address, answer } of await Promise.all(knocks)) {
    const where = `Port ${port} of ${address}, where "${name}" points to,`;
    if (answer === 'closed') {
      const message = `${where} refuses connections; right while Postern does not run, else forward it here`;
      findings.push({ kind: 'hint', message });
    }
    if (answer === 'silent') {
      const message = `${where} does not answer from here: a firewall, or a router that does not reach itself; the CA has to get through`;
      findings.push({ kind: 'hint', message });
    }
  }
  return findings;
}

/** RFC 8659: the nearest name upwards that has any CAA record decides. */
async function probeCaa(
  name: string,
  allowed: readonly string[],
  { dns }: CertificateProbe,
): Promise<readonly CertificateFinding[]> {
  if (allowed.length === 0) return [];
  const isWildcard = name.startsWith('*.');
  const labels = name.replace(/^\*\./, '').split('.');
  try {
    for (let from = 0; from < labels.length; from++) {
      const holder = labels.slice(from).join('.');
      const records = await dns.caa(holder);
      if (records.length > 0) return judgeCaa(name, { holder, records, allowed, isWildcard });
    }
    return [];
  } catch (error) {
    const message = `Cannot look up CAA records of "${name}": ${wordsOf(error)}; a CA then refuses as well`;
    return [{ kind: 'error', message }];
  }
}

interface Caa {
  readonly holder: string;
  readonly records: readonly CaaRecord[];
  readonly allowed: readonly string[];
  readonly isWildcard: boolean;
}

function judgeCaa(name: string, { holder, records, allowed, isWildcard }: Caa): readonly CertificateFinding[] {
  const valuesOf = (tag: string): readonly string[] =>
    records.filter((one) => one.tag.toLowerCase() === tag).map(({ value }) => value);
  const wild = valuesOf('issuewild');
  // Section 4.3: for a wildcard, issuewild replaces issue where there is one.
  const values = isWildcard && wild.length > 0 ? wild : valuesOf('issue');
  if (values.length === 0) return [];
  const named = values.map((value) => (value.split(';', 1)[0] ?? '').trim().toLowerCase());
  if (named.some((one) => allowed.includes(one))) return [];
  const shown = named.filter((one) => one !== '').join(', ') || 'no CA at all';
  const remedy = `add "0 issue \\"${allowed[0] ?? ''}\\"" there, or choose another under acme.ca`;
  return [{ kind: 'error', message: `CAA records of "${holder}" let ${shown} alone certify "${name}"; ${remedy}` }];
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
