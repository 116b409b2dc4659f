/**
 * The certificates that there are, as an operator sees them: a line each, those of CAs, of files, of the local CA
 * and uploaded ones, with what is wrong with them and what happens next.
 */
import { X509Certificate } from 'node:crypto';
import { lackIn } from '../certs/issuance/arrange-chain.ts';
import { describeLack } from '../certs/issuance/failed-order.ts';
import { bareHost, coversName } from '../certs/names.ts';
import { describeProgress } from './order-progress.ts';
import { refusal } from './refusal.ts';
import { uploadProblem } from './uploaded-certificates.ts';
import type { CertificateEntry, CertificateSet } from '../certs/certificate-set.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { Issued } from '../certs/issuance/issued.ts';
import type { IssuanceStatus } from '../certs/issuance/status.ts';
import type { Uploads } from '../certs/upload/uploads.ts';

export interface CertificateLine {
  readonly names: readonly string[];
  readonly source: CertificateEntry['source'] | 'none';
  readonly issuer: string | null;
  readonly serial: string | null;
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly keyType: string | null;
  readonly profile: string | null;
  /** "in use", "unused", "revoked", "expired", "expiring", "ordering", "failing", "missing", "at first visit". */
  readonly state: string;
  /** When it is renewed, or ordered again; null where nobody but its owner renews it. */
  readonly nextAt: number | null;
  readonly failures: number;
  readonly problem: string | null;
  /** What runs for it now. */
  readonly progress: string | null;
}

export interface ListDeps {
  /** Null while no document had an `acme` section. */
  readonly issuance: () => Pick<Issuance, 'status' | 'issued'> | null;
  /** Null before a document is live, or while none is. */
  readonly set: () => CertificateSet | null;
  readonly uploads: Uploads;
}

export function listCertificates({ issuance, set, uploads }: ListDeps): CertificateLine[] {
  const current = issuance();
  const statuses = current?.status() ?? [];
  const wanted = statuses.map(lineOfStatus);
  const known = new Set(statuses.map((one) => one.issued?.entry.id));
  const entries = (set()?.certificates ?? []).filter(({ source }) => source === 'file' || source === 'local');
  const others = entries.map(lineOfEntry);
  const served = servedIn(set());
  const unwanted = (current?.issued ?? []).filter(({ entry }) => !known.has(entry.id));
  const unused = unwanted.map((issued) => lineOfUnwanted(issued, served));
  const waiting = [...(set()?.onVisit ?? [])].filter((host) => set()?.hosts.get(host)?.length === 0).map(lineOnVisit);
  const uploaded = uploads.entries.map((entry) => lineOfUpload(entry, uploads, served));
  return [...wanted, ...others, ...waiting, ...uploaded, ...unused].toSorted((a, b) =>
    compare(a.names[0] ?? '', b.names[0] ?? ''),
  );
}

/** Of the same name they stay in their order: what the document wants, ECDSA first. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const NOTHING = {
  issuer: null,
  serial: null,
  notBefore: null,
  notAfter: null,
  keyType: null,
  profile: null,
  failures: 0,
  problem: null,
  progress: null,
  nextAt: null,
} as const;

function lineOfStatus(status: IssuanceStatus): CertificateLine {
  const { wanted, issued, isOrdering, progress, failures, problem, nextAt } = status;
  return {
    ...(issued === null ? { ...NOTHING, source: 'none' as const, keyType: wanted.keyType } : factsOf(issued)),
    names: wanted.names,
    state: stateOf(status),
    failures,
    problem: problem?.message ?? lackOf(status),
    progress: !isOrdering || progress === null ? null : describeProgress(progress),
    nextAt,
  };
}

/** It is in use all the same, and some visitors cannot verify it: the log says so once, when it comes. */
function lackOf({ wanted, issued }: IssuanceStatus): string | null {
  if (issued === null) return null;
  const { stored, renewal } = issued;
  const ca = wanted.policy.cas.find(({ directory }) => directory === stored.directory);
  const issuer = lackIn(stored.chain, ca?.rootsPem ?? null);
  return issuer === null ? null : describeLack(wanted.subject, renewal.caName, issuer);
}

function stateOf({ issued, isOrdering, failures }: IssuanceStatus): string {
  if (isOrdering) return 'ordering';
  if (failures > 0) return 'failing';
  if (issued === null) return 'missing';
  if (issued.stored.revokedAt !== null) return 'revoked';
  return issued.entry.notAfter <= Date.now() ? 'expired' : 'in use';
}

/** Ids of what hosts are served with now. */
export function servedIn(set: CertificateSet | null): ReadonlySet<string> {
  return new Set([...(set?.hosts.values() ?? [])].flat());
}

/** One of another kind of key, say, is served until the one that the document wants has come. */
function lineOfUnwanted(issued: Issued, served: ReadonlySet<string>): CertificateLine {
  const good = served.has(issued.entry.id) ? 'in use' : 'unused';
  const state = issued.entry.notAfter <= Date.now() ? 'expired' : good;
  const told = issued.stored.revokedAt === null ? state : 'revoked';
  return { ...NOTHING, ...factsOf(issued), names: issued.entry.names, state: told };
}

function factsOf(
  issued: Issued,
): Pick<CertificateLine, 'source' | 'issuer' | 'serial' | 'notBefore' | 'notAfter' | 'keyType' | 'profile'> {
  return {
    source: 'acme',
    issuer: issued.issuer,
    serial: issued.serial,
    notBefore: issued.notBefore,
    notAfter: issued.entry.notAfter,
    keyType: issued.keyType,
    profile: issued.renewal.profile,
  };
}

function lineOfEntry(entry: CertificateEntry): CertificateLine {
  const leaf = new X509Certificate(entry.certificatePem);
  return {
    ...NOTHING,
    names: entry.names,
    source: entry.source,
    issuer: /(?:^|\n)CN=(.*)/.exec(leaf.issuer)?.[1] ?? null,
    serial: leaf.serialNumber.toLowerCase(),
    notBefore: leaf.validFromDate.getTime(),
    notAfter: entry.notAfter,
    keyType: entry.keyType,
    state: entry.notAfter <= Date.now() ? 'expired' : 'in use',
  };
}

function lineOnVisit(host: string): CertificateLine {
  return { ...NOTHING, names: [host], source: 'local', state: 'at first visit' };
}

function lineOfUpload(entry: CertificateEntry, uploads: Uploads, served: ReadonlySet<string>): CertificateLine {
  const line = lineOfEntry(entry);
  const problem = uploadProblem(uploads.entries, entry.id, Date.now());
  const state = served.has(entry.id) ? line.state : 'unused';
  if (line.state === 'expired') return { ...line, problem };
  return { ...line, problem, state: problem !== null ? 'expiring' : state };
}

/** By a name or a serial number; the one that is shown first, at least one. */
export function findLines(lines: readonly CertificateLine[], text: string): [CertificateLine, ...CertificateLine[]] {
  const name = bareHost(text);
  const ways = [
    (line: CertificateLine): boolean => line.names.includes(name),
    (line: CertificateLine): boolean => line.serial === text.toLowerCase(),
    (line: CertificateLine): boolean => coversName(line.names, name),
  ];
  for (const isMeant of ways) {
    const [first, ...others] = lines.filter(isMeant);
    if (first !== undefined) return [first, ...others];
  }
  throw refusal(`Cannot find a certificate for "${text}": "postern cert list" shows them`);
}
