/**
 * What an operator does with certificates: sees them, orders one now, rehearses an order, revokes, removes.
 * Plain calls with plain answers for the control socket; orders tell of each step while they run.
 */
import { X509Certificate } from 'node:crypto';
import { KNOWN_CAS } from '../config/presets/acme-cas.ts';
import { bareHost, coversName } from '../certs/names.ts';
import { PosternError } from '../core/errors.ts';
import { LIMIT_WINDOW_MS } from '../certs/issuance/ca-limits.ts';
import type { IssuanceEvent } from '../core/issuance-store.ts';
import { describeProgress } from './order-progress.ts';
import { createImportOperations, type ImportDeps, type ImportOperations } from './imported-certificates.ts';
import { createUploadOperations, findUpload, uploadProblem } from './uploaded-certificates.ts';
import type { RevocationReason } from '../certs/acme/revocation-reasons.ts';
import type { CertificateEntry } from '../certs/certificate-set.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { IssuanceStatus } from '../certs/issuance/status.ts';
import type { Issued } from '../certs/issuance/issued.ts';
import { kindIn, type AcmeCa } from '../certs/issuance/wanted.ts';
import { serialOf, type Uploads } from '../certs/upload/uploads.ts';
import type { UploadDeps, UploadOperations } from './uploaded-certificates.ts';

export interface CertificateLine {
  readonly names: readonly string[];
  readonly source: CertificateEntry['source'] | 'none';
  readonly issuer: string | null;
  readonly serial: string | null;
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly keyType: string | null;
  readonly profile: string | null;
  /** "in use", "unused", "revoked", "expired", "expiring", "ordering", "failing", "missing". */
  readonly state: string;
  /** When it is renewed, or ordered again; null where nobody but its owner renews it. */
  readonly nextAt: number | null;
  readonly failures: number;
  readonly problem: string | null;
  /** What runs for it now. */
  readonly progress: string | null;
}

export interface CertificateDetails extends CertificateLine {
  readonly chainPem: string | null;
  readonly subjects: readonly string[];
  /** What the CA wishes (ARI). */
  readonly window: { readonly start: number; readonly end: number; readonly explanation: string | null } | null;
  /** Others for the name, such as the RSA one; a serial number is null where it is still to come. */
  readonly beside: readonly { readonly keyType: string; readonly serial: string | null }[];
}

export interface OrderAnswer {
  readonly names: readonly string[];
  readonly ok: boolean;
  readonly message: string;
}

export interface AccountLine {
  readonly ca: string;
  readonly directory: string;
  /** Null before the first order there. */
  readonly url: string | null;
}

export interface CertificateInventory {
  /** Chains that operators uploaded, newest first. */
  readonly uploads: readonly string[];
  /** What CAs issued in the last days. */
  readonly issued: readonly IssuanceEvent[];
}

/** Told while an operation runs. */
export type Report = (text: string) => void;

export type CertificateOperations = UploadOperations &
  ImportOperations & {
    'cert.list': () => Promise<readonly CertificateLine[]>;
    /** For `postern check`: what is there that the document does not tell of. No key is in it. */
    'cert.inventory': () => Promise<CertificateInventory>;
    'cert.show': (input: { name: string }) => Promise<CertificateDetails>;
    'cert.renew': (
      input: { name?: string; dryRun?: boolean; ca?: string },
      report: Report,
    ) => Promise<readonly OrderAnswer[]>;
    'cert.revoke': (input: { name: string; reason: RevocationReason }) => Promise<{ names: readonly string[] }>;
    'cert.remove': (input: { name: string }) => Promise<{ names: readonly string[] }>;
    'cert.accounts': () => Promise<readonly AccountLine[]>;
    'cert.rotate-account-key': (input: { ca?: string }) => Promise<{ ca: string }>;
    'cert.deactivate-account': (input: { ca?: string }) => Promise<{ ca: string }>;
  };

export interface CertificateDeps extends UploadDeps, ImportDeps {
  /** Null while no document had an `acme` section. */
  readonly issuance: () => Issuance | null;
  readonly issuedSince: (at: number) => Promise<readonly IssuanceEvent[]>;
}

export function createCertificateOperations(deps: CertificateDeps): CertificateOperations {
  return {
    ...createAccountOperations(deps),
    ...createUploadOperations(deps),
    ...createImportOperations(deps),
    'cert.list': async () => listCertificates(deps),
    'cert.inventory': async () => ({
      uploads: deps.uploads.entries.map((entry) => entry.certificatePem),
      issued: await deps.issuedSince(Date.now() - LIMIT_WINDOW_MS),
    }),
    async 'cert.show'({ name }) {
      const [line, ...others] = findLines(listCertificates(deps), name);
      const issued = deps.issuance()?.issued.find((one) => one.serial === line.serial);
      const entries = [...(deps.set()?.certificates ?? []), ...deps.uploads.entries];
      const entry = entries.find((one) => serialOf(one) === line.serial);
      const advice = issued?.renewal.advice ?? null;
      const chainPem = issued?.entry.certificatePem ?? entry?.certificatePem ?? null;
      const subjects = chainPem === null ? [] : subjectsOf(chainPem);
      const beside = others.flatMap(({ keyType, serial }) => ({ keyType: keyType ?? '-', serial }));
      return { ...line, chainPem, subjects, window: advice, beside };
    },
    'cert.renew': (input, report) => renew(deps, input, report),
    async 'cert.revoke'({ name, reason }) {
      const { issuance, issued } = findIssued(deps, name);
      await issuance.revoke(issued.stored.subject, reason);
      return { names: issued.entry.names };
    },
    async 'cert.remove'({ name }) {
      const upload = findUpload(deps.uploads, name);
      if (upload !== null) {
        await deps.uploads.remove(upload.entry.id);
        await deps.apply();
        return { names: upload.entry.names };
      }
      const { issuance, issued } = findIssued(deps, name);
      const isWanted = issuance.status().some((one) => one.issued?.stored.id === issued.stored.id);
      if (isWanted)
        throw refusal(
          `Cannot remove the certificate for "${name}": the document wants it, so another one would be ordered; remove the host first, or use "postern cert renew ${name}"`,
        );
      await issuance.remove(issued.stored.subject);
      return { names: issued.entry.names };
    },
  };
}

function createAccountOperations({
  issuance,
}: CertificateDeps): Pick<
  CertificateOperations,
  'cert.accounts' | 'cert.rotate-account-key' | 'cert.deactivate-account'
> {
  const opened = (): Issuance => {
    const current = issuance();
    if (current === null) throw refusal('Cannot look at accounts: the document has no "acme" section');
    return current;
  };
  return {
    async 'cert.accounts'() {
      const current = opened();
      const lines = current.cas.map(async (ca) => {
        return { ca: ca.name, directory: ca.directory, url: await current.accountUrl(ca) };
      });
      return Promise.all(lines);
    },
    async 'cert.rotate-account-key'({ ca }) {
      const chosen = chooseCa(opened(), ca);
      await opened().rotateAccountKey(chosen);
      return { ca: chosen.name };
    },
    async 'cert.deactivate-account'({ ca }) {
      const chosen = chooseCa(opened(), ca);
      await opened().deactivateAccount(chosen);
      return { ca: chosen.name };
    },
  };
}

/** By its word, its name or its directory; the only one need not be named. */
function chooseCa(issuance: Issuance, text: string | undefined): AcmeCa {
  const word = KNOWN_CAS.find((one) => one.word === text)?.directory;
  const found = issuance.cas.filter((ca) => text === undefined || ca.name === text || ca.directory === (word ?? text));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const names = issuance.cas.map((ca) => `"${ca.name}"`).join(', ');
  throw refusal(`Cannot tell which CA is meant: the document names ${names === '' ? 'none' : names}`);
}

function listCertificates({ issuance, set, uploads }: CertificateDeps): CertificateLine[] {
  const current = issuance();
  const statuses = current?.status() ?? [];
  const wanted = statuses.map(lineOfStatus);
  const known = new Set(statuses.map((one) => one.issued?.entry.id));
  const unused = (current?.issued ?? []).filter(({ entry }) => !known.has(entry.id)).map(lineOfUnused);
  const entries = (set()?.certificates ?? []).filter(({ source }) => source === 'file' || source === 'local');
  const others = entries.map(lineOfEntry);
  const served = new Set([...(set()?.hosts.values() ?? [])].flat());
  const uploaded = uploads.entries.map((entry) => lineOfUpload(entry, uploads, served));
  return [...wanted, ...others, ...uploaded, ...unused].toSorted((a, b) => compare(a.names[0] ?? '', b.names[0] ?? ''));
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
    problem: problem?.message ?? null,
    progress: !isOrdering || progress === null ? null : describeProgress(progress),
    nextAt,
  };
}

function stateOf({ issued, isOrdering, failures }: IssuanceStatus): string {
  if (isOrdering) return 'ordering';
  if (failures > 0) return 'failing';
  if (issued === null) return 'missing';
  if (issued.stored.revokedAt !== null) return 'revoked';
  return issued.entry.notAfter <= Date.now() ? 'expired' : 'in use';
}

function lineOfUnused(issued: Issued): CertificateLine {
  const unused = issued.entry.notAfter <= Date.now() ? 'expired' : 'unused';
  const state = issued.stored.revokedAt === null ? unused : 'revoked';
  return { ...NOTHING, ...factsOf(issued), names: issued.entry.names, state };
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

function lineOfUpload(entry: CertificateEntry, uploads: Uploads, served: ReadonlySet<string>): CertificateLine {
  const line = lineOfEntry(entry);
  const problem = uploadProblem(uploads.entries, entry.id, Date.now());
  const state = served.has(entry.id) ? line.state : 'unused';
  if (line.state === 'expired') return { ...line, problem };
  return { ...line, problem, state: problem !== null ? 'expiring' : state };
}

function subjectsOf(chainPem: string): string[] {
  const blocks = chainPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    // Undefined where it is empty, whatever the types say.
    const { subject } = new X509Certificate(block) as { subject?: string };
    return subject?.replaceAll('\n', ', ') ?? '(no subject)';
  });
}

/** By a name or a serial number; the one that is shown first, at least one. */
function findLines(lines: readonly CertificateLine[], text: string): [CertificateLine, ...CertificateLine[]] {
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

function findIssued(deps: CertificateDeps, text: string): { issuance: Issuance; issued: Issued } {
  const name = bareHost(text);
  const issuance = deps.issuance();
  const found = (issuance?.issued ?? []).filter(
    ({ entry, serial }) => entry.names.includes(name) || serial === text.toLowerCase(),
  );
  const [issued] = found;
  if (issuance === null || issued === undefined)
    throw refusal(`Cannot find a certificate of a CA for "${text}": "postern cert list" shows them`);
  if (found.length === 1) return { issuance, issued };
  const serials = found.map(({ serial, keyType, entry }) => `${serial} (${keyType}, ${entry.names.join(', ')})`);
  throw refusal(
    `Cannot tell which certificate for "${text}" is meant: give the serial number, ${serials.join(' or ')}`,
  );
}

async function renew(
  deps: CertificateDeps,
  input: { name?: string; dryRun?: boolean; ca?: string },
  report: Report,
): Promise<readonly OrderAnswer[]> {
  const issuance = deps.issuance();
  if (issuance === null) throw refusal('Cannot renew: the document has no "acme" section');
  const chosen = choose(issuance, input.name);
  if (input.dryRun === true) return rehearse(issuance, chosen, input.ca, report);
  const stop = issuance.onProgress(({ subject, progress }) => {
    if (chosen.some(({ wanted }) => wanted.subject === subject)) report(`${subject}: ${describeProgress(progress)}`);
  });
  try {
    if (input.name === undefined) return await renewDue(issuance, report);
    return await Promise.all(chosen.map((status) => orderOne(issuance, status)));
  } finally {
    stop();
  }
}

/** Asks the CAs when they want renewals, then waits for whatever is due. */
async function renewDue(issuance: Issuance, report: Report): Promise<readonly OrderAnswer[]> {
  report('Asking the CAs when they want certificates to be renewed');
  await issuance.askForAdvice(true);
  const due = issuance.status().filter((status) => status.isOrdering || status.nextAt <= Date.now());
  return Promise.all(due.map((status) => orderOne(issuance, status)));
}

function choose(issuance: Issuance, text: string | undefined): readonly IssuanceStatus[] {
  const all = issuance.status();
  if (text === undefined) return all;
  const name = bareHost(text);
  const exact = all.filter(
    ({ wanted, issued }) => wanted.names.includes(name) || issued?.serial === text.toLowerCase(),
  );
  const found = exact.length > 0 ? exact : all.filter(({ wanted }) => coversName(wanted.names, name));
  if (found.length === 0)
    throw refusal(`Cannot order a certificate for "${text}": no host of the document wants one from a CA`);
  return found;
}

async function orderOne(issuance: Issuance, { wanted }: IssuanceStatus): Promise<OrderAnswer> {
  const outcome = await issuance.order(wanted.subject);
  const answer = (ok: boolean, message: string): OrderAnswer => ({ names: wanted.names, ok, message });
  switch (outcome?.kind) {
    case 'issued':
    case 'found': {
      const until = new Date(outcome.issued.entry.notAfter).toISOString().slice(0, 10);
      return answer(true, `${kindIn(wanted)}certificate of ${outcome.issued.issuer}, good until ${until}`);
    }
    case 'failed':
      return answer(false, outcome.error.message);
    case 'locked':
      return answer(false, 'another process orders it at the moment');
    default:
      return answer(false, 'the document does not want it any more');
  }
}

const STAGING: ReadonlyMap<string, string> = new Map([['letsencrypt', 'letsencrypt-staging']]);

async function rehearse(
  issuance: Issuance,
  chosen: readonly IssuanceStatus[],
  ca: string | undefined,
  report: Report,
): Promise<readonly OrderAnswer[]> {
  const answers: OrderAnswer[] = [];
  for (const { wanted } of chosen) {
    const [first] = wanted.policy.cas;
    if (first === undefined) continue;
    const outcome = await issuance
      .rehearse(wanted, stagingOf(first, ca), (progress) => report(`${wanted.subject}: ${describeProgress(progress)}`))
      .then(
        () => ({ ok: true, message: 'an order would succeed; nothing was kept' }),
        (error: unknown) => ({ ok: false, message: (error as Error).message }),
      );
    answers.push({ names: wanted.names, ...outcome });
  }
  return answers;
}

/** Where an order may be tried without using up the limits of the real CA. */
function stagingOf(ca: AcmeCa, given: string | undefined): AcmeCa {
  const own = KNOWN_CAS.find((one) => one.directory === ca.directory);
  const word = given ?? STAGING.get(own?.word ?? '') ?? (own?.word === 'letsencrypt-staging' ? own.word : undefined);
  const known = KNOWN_CAS.find((one) => one.word === word);
  if (known !== undefined) return { ...ca, name: known.name, directory: known.directory, eab: null };
  if (word !== undefined && URL.canParse(word) && new URL(word).protocol === 'https:')
    return { ...ca, name: new URL(word).host, directory: word };
  throw refusal(
    `Cannot rehearse an order: no place for trials is known of ${ca.name}; name one by --ca, such as "letsencrypt-staging"`,
  );
}

function refusal(message: string): PosternError {
  return new PosternError('OPERATION_REFUSED', message);
}
