/**
 * What an operator does with certificates: sees them, orders one now, revokes, removes. Plain calls with plain
 * answers for the control socket.
 */
import { X509Certificate } from 'node:crypto';
import { bareHost } from '../certs/names.ts';
import { LIMIT_WINDOW_MS } from '../certs/issuance/ca-limits.ts';
import { serialOf } from '../certs/upload/uploads.ts';
import { createAccountOperations, type AccountOperations } from './certificate-accounts.ts';
import { findLines, listCertificates, servedIn, type CertificateLine } from './certificate-lines.ts';
import { renew, type OrderAnswer, type RenewInput, type Report } from './certificate-orders.ts';
import { createImportOperations, type ImportDeps, type ImportOperations } from './imported-certificates.ts';
import { refusal } from './refusal.ts';
import { createUploadOperations, findUpload } from './uploaded-certificates.ts';
import type { RevocationReason } from '../certs/acme/revocation-reasons.ts';
import type { Issuance } from '../certs/issuance/issuance.ts';
import type { Issued } from '../certs/issuance/issued.ts';
import type { IssuanceEvent } from '../core/issuance-store.ts';
import type { UploadDeps, UploadOperations } from './uploaded-certificates.ts';

export interface CertificateDetails extends CertificateLine {
  readonly chainPem: string | null;
  readonly subjects: readonly string[];
  /** What the CA wishes (ARI). */
  readonly window: { readonly start: number; readonly end: number; readonly explanation: string | null } | null;
  /** Others for the name, such as the RSA one; a serial number is null where it is still to come. */
  readonly beside: readonly { readonly keyType: string; readonly serial: string | null }[];
}

export interface CertificateInventory {
  /** Chains that operators uploaded, newest first. */
  readonly uploads: readonly string[];
  /** What CAs issued in the last days. */
  readonly issued: readonly IssuanceEvent[];
}

export type CertificateOperations = AccountOperations &
  UploadOperations &
  ImportOperations & {
    'cert.list': () => Promise<readonly CertificateLine[]>;
    /** For `postern check`: what is there that the document does not tell of. No key is in it. */
    'cert.inventory': () => Promise<CertificateInventory>;
    'cert.show': (input: { name: string }) => Promise<CertificateDetails>;
    'cert.renew': (input: RenewInput, report: Report) => Promise<readonly OrderAnswer[]>;
    'cert.revoke': (input: { name: string; reason: RevocationReason }) => Promise<{ names: readonly string[] }>;
    'cert.remove': (input: { name: string }) => Promise<{ names: readonly string[] }>;
  };

export interface CertificateDeps extends UploadDeps, ImportDeps {
  /** Null while no document had an `acme` section. */
  readonly issuance: () => Issuance | null;
  readonly issuedSince: (at: number) => Promise<readonly IssuanceEvent[]>;
}

export function createCertificateOperations(deps: CertificateDeps): CertificateOperations {
  return {
    ...createAccountOperations(deps.issuance),
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
    'cert.renew': (input, report) => renew(deps.issuance(), input, report),
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
      if (servedIn(deps.set()).has(issued.entry.id))
        throw refusal(
          `Cannot remove the certificate for "${name}": visitors are served with it until the one that the document wants is there ("postern cert list" says what it waits for)`,
        );
      await issuance.remove(issued.stored.subject);
      return { names: issued.entry.names };
    },
  };
}

function subjectsOf(chainPem: string): string[] {
  const blocks = chainPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    // Undefined where it is empty, whatever the types say.
    const { subject } = new X509Certificate(block) as { subject?: string };
    return subject?.replaceAll('\n', ', ') ?? '(no subject)';
  });
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
