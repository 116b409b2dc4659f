/**
 * Which certificates have to be ordered for the hosts of a document: one for each host, but none for a
 * host that a wildcard or a list of names covers already. Decides nothing about when.
 */
import { isIP } from 'node:net';
import { createIpSet } from '../../core/ip-address.ts';
import { warning, type Diagnostic } from '../../core/diagnostic.ts';
import { coversName } from '../names.ts';
import { isDnsChallenge, type ChallengeType } from '../acme/challenge-type.ts';

type Place = readonly (string | number)[];

/** What this room reads of `acme:`. */
export interface AcmeDocument {
  readonly email: string | null;
  readonly policy: AcmePolicy;
  readonly hosts: Readonly<Record<string, AcmePolicy>>;
  readonly certificates: readonly { readonly names: readonly string[]; readonly at: Place }[];
}

/** Orders at the first handshake. */
export interface OnDemandSettings {
  /** Asked about names that the document does not list one by one; null: such names get nothing. */
  readonly ask: string | null;
  /** Most names in an hour. */
  readonly perHour: number;
}

export type KeyType = 'p256' | 'p384' | 'rsa2048' | 'rsa4096';

export interface AcmePolicy {
  readonly cas: readonly AcmeCa[];
  readonly fallbackAfter: number;
  /** One, or an ECDSA kind before an RSA kind: a certificate of each. */
  readonly keyTypes: readonly KeyType[];
  readonly challenges: readonly ChallengeType[];
  /** Name of the DNS provider for dns-01. */
  readonly dns: string | null;
  /** Not before somebody asks for the name. */
  readonly onDemand: boolean;
}

export interface AcmeCa {
  readonly name: string;
  readonly directory: string;
  readonly eab: { readonly keyId: string; readonly hmacKey: string } | null;
  readonly profile: string | null;
  readonly preferredChain: string | null;
  readonly rootsPem: string | null;
}

export interface Wanted {
  /** What tells one wanted certificate from another: see `subjectOf`. */
  readonly subject: string;
  readonly names: readonly string[];
  /** One of the policy's. */
  readonly keyType: KeyType;
  readonly policy: AcmePolicy;
  readonly at: Place;
}

export interface NeedyHost {
  readonly name: string;
  readonly policy: AcmePolicy;
  readonly at: Place;
}

/** RFC 1918, RFC 6598, RFC 4193, loopback, link-local, and addresses for documentation are left to the CA to refuse. */
const PRIVATE = createIpSet([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]);

/** True for what a public CA may certify: a name with a dot, an address that is not private. */
export function isPublicName(name: string): boolean {
  if (isIP(name) !== 0) return !PRIVATE.contains(name);
  return name.includes('.');
}

const RSA_MARK = ' (rsa)';

/**
 * The names in order, with one space between. An RSA certificate says so at the end: it is ordered, locked, renewed
 * and kept beside the ECDSA one for the same names. P-256 and P-384 are one subject, so that one takes the other's place.
 */
export function subjectOf(names: readonly string[], isRsa: boolean): string {
  return [...new Set(names)].toSorted().join(' ') + (isRsa ? RSA_MARK : '');
}

/** The subject without the kind of key: the same for both certificates of a list of names. */
export function nameSetOf(subject: string): string {
  return subject.endsWith(RSA_MARK) ? subject.slice(0, -RSA_MARK.length) : subject;
}

export function isRsa(keyType: KeyType): boolean {
  return keyType.startsWith('rsa');
}

/** "RSA " or "ECDSA " for sentences about one of two; empty where there is one only. */
export function kindIn({ keyType, policy }: Pick<Wanted, 'keyType' | 'policy'>): string {
  if (policy.keyTypes.length === 1) return '';
  return isRsa(keyType) ? 'RSA ' : 'ECDSA ';
}

export interface Plan {
  readonly wanted: readonly Wanted[];
  readonly diagnostics: readonly Diagnostic[];
}

export function planCertificates(hosts: readonly NeedyHost[], acme: AcmeDocument): Plan {
  const diagnostics: Diagnostic[] = [];
  const wanted = new Map<string, Wanted>();
  const beside = new Map<string, Wanted>();
  const add = (one: Omit<Wanted, 'subject' | 'keyType'>): void => {
    const wildcard = one.names.find((name) => name.startsWith('*.'));
    if (wildcard !== undefined && !one.policy.challenges.some(isDnsChallenge)) {
      diagnostics.push(needsDns(wildcard, one.at));
      return;
    }
    for (const [at, keyType] of one.policy.keyTypes.entries()) {
      const subject = subjectOf(one.names, isRsa(keyType));
      (at === 0 ? wanted : beside).set(subject, { ...one, keyType, subject });
    }
  };
  for (const { names, at } of acme.certificates) if (names.length > 0) add({ names, policy: acme.policy, at });
  const lists = [...wanted.values()];
  const wildcards = hosts.filter(({ name, policy }) => name.startsWith('*.') && policy.challenges.some(isDnsChallenge));
  for (const { name, policy, at } of hosts) {
    if (lists.some((list) => coversName(list.names, name))) continue;
    if (wildcards.some((wildcard) => wildcard.name !== name && covers(wildcard, { name, policy, at }))) continue;
    add({ names: [name], policy, at });
  }
  // Every host has one before any host has two.
  return { wanted: [...wanted.values(), ...beside.values()], diagnostics };
}

/** A host that says something of its own about its certificate gets one of its own. */
function covers(wildcard: NeedyHost, host: NeedyHost): boolean {
  return coversName([wildcard.name], host.name) && wildcard.policy === host.policy;
}

function needsDns(name: string, at: Place): Diagnostic {
  return warning(
    at,
    `No certificate can be ordered for "${name}": CAs want wildcards to be proved by dns-01`,
    'add a top-level "dns" with your DNS provider; or list the hosts one by one, or give a certificate that covers them',
  );
}
