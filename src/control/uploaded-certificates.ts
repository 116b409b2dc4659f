/**
 * Certificates that an operator brings: checked, kept, and in use at once. Plain calls with plain answers, for the
 * control socket and for the CLI while no Postern uses the data folder.
 */
import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { bareHost, coversName } from '../certs/names.ts';
import { EXPIRY_REMEDY, expiringUploads } from '../certs/upload/expiry.ts';
import { serialOf, type Upload, type Uploads } from '../certs/upload/uploads.ts';
import { PosternError } from '../core/errors.ts';
import type { CertificateEntry, CertificateSet } from '../certs/certificate-set.ts';
import type { UploadVerdict } from '../certs/upload/check-upload.ts';
import type { Family } from '../observe/exposition.ts';

export interface AddCertificateAnswer {
  readonly names: readonly string[];
  readonly serial: string;
  readonly notAfter: number;
  /** It was there already. */
  readonly isKnown: boolean;
  /** Serial numbers of those that it takes the place of. */
  readonly replaced: readonly string[];
  /** Hosts of the document that serve it now; null while no Postern runs. */
  readonly servedFor: readonly string[] | null;
  readonly remarks: readonly string[];
}

export type UploadOperations = {
  'cert.add': (input: {
    certificates: readonly string[];
    keys: readonly string[];
    mayBeIncomplete?: boolean;
  }) => Promise<AddCertificateAnswer>;
};

export interface UploadDeps {
  readonly uploads: Uploads;
  /** Null before a document is live, or while none is. */
  readonly set: () => CertificateSet | null;
  /** Puts what has changed in use, on every worker. */
  readonly apply: () => Promise<void>;
}

const inputShape: z.ZodType<{ certificates: string[]; keys: string[]; mayBeIncomplete?: boolean | undefined }> =
  z.object({
    certificates: z.array(z.string()).min(1).max(50),
    keys: z.array(z.string()).min(1).max(10),
    mayBeIncomplete: z.boolean().optional(),
  });

export function createUploadOperations(deps: UploadDeps): UploadOperations {
  return {
    async 'cert.add'(input) {
      const { certificates, keys, mayBeIncomplete = false } = inputShape.parse(input);
      // Checks of uploads are needed by nothing else.
      const { checkUpload } = await import('../certs/upload/check-upload.ts');
      const material = { certificates: certificates.map((pem) => new X509Certificate(pem)), keys };
      const verdict = checkUpload(material, { now: Date.now(), mayBeIncomplete });
      if (verdict.accepted === null) throw new PosternError('TLS_BAD_CERTIFICATE', describeProblems(verdict));
      const added = await deps.uploads.add(verdict.accepted);
      await deps.apply();
      const { entry } = added.upload;
      return {
        names: entry.names,
        serial: serialOf(entry),
        notAfter: entry.notAfter,
        isKnown: added.isKnown,
        replaced: added.replaced,
        servedFor: servedFor(deps, entry.id),
        remarks: [...verdict.remarks, ...besides(deps, added.upload)],
      };
    },
  };
}

/** One problem a line, with its remedy below. */
function describeProblems({ problems }: UploadVerdict): string {
  const count = problems.length === 1 ? 'one check failed' : `${problems.length} checks failed`;
  const lines = problems.map(
    ({ check, message, remedy }) => `  ${check.padEnd(9)}  ${message}\n             ${remedy}`,
  );
  return [`Cannot add the certificate: ${count} [TLS_BAD_CERTIFICATE]`, ...lines].join('\n');
}

function servedFor({ set }: UploadDeps, id: string): readonly string[] | null {
  const current = set();
  if (current === null) return null;
  return [...current.hosts].filter(([, ids]) => ids.includes(id)).map(([host]) => host);
}

/** What stands beside it, and hosts that have something else although it covers them. */
function besides({ uploads, set }: UploadDeps, { entry }: Upload): string[] {
  const remarks: string[] = [];
  const sameNames = entry.names.toSorted().join(' ');
  const other = uploads.all.find(
    (one) => one.entry.id !== entry.id && one.entry.names.toSorted().join(' ') === sameNames,
  );
  if (other !== undefined)
    remarks.push(
      `An uploaded ${other.entry.keyType === 'rsa' ? 'RSA' : 'ECDSA'} certificate for the same names stays beside it, for clients that want that kind of key; "postern cert remove ${serialOf(other.entry)}" removes it`,
    );
  const current = set();
  if (current === null) return remarks;
  const hosts = [...current.hosts].filter(([host]) => coversName(entry.names, host));
  const others = hosts.filter(([, ids]) => !ids.includes(entry.id)).map(([host]) => `"${host}"`);
  if (others.length > 0)
    remarks.push(
      `Not served for ${others.join(', ')}: the document says otherwise ("tls" of the host, or tls.certificates), or another uploaded certificate was named more exactly`,
    );
  if (hosts.length === 0) remarks.push('No host of the document has one of its names yet');
  return remarks;
}

/** One uploaded certificate by a name of it or its serial number; null where there is none. */
export function findUpload(uploads: Uploads, text: string): Upload | null {
  const name = bareHost(text);
  const found = uploads.all.filter(({ entry }) => entry.names.includes(name) || serialOf(entry) === text.toLowerCase());
  if (found.length < 2) return found[0] ?? null;
  const serials = found.map(({ entry }) => `${serialOf(entry)} (${entry.keyType}, ${entry.names.join(', ')})`);
  throw new PosternError(
    'OPERATION_REFUSED',
    `Cannot tell which certificate for "${text}" is meant: give the serial number, ${serials.join(' or ')}`,
  );
}

/** What a list says of it: null where nothing is to be done. */
export function uploadProblem(entries: readonly CertificateEntry[], id: string, now: number): string | null {
  const expiring = expiringUploads(entries, now).find(({ entry }) => entry.id === id);
  return expiring === undefined ? null : `${expiring.message}; ${EXPIRY_REMEDY}`;
}

/** For /readyz. */
export function uploadWarnings(entries: readonly CertificateEntry[], now: number): readonly string[] {
  return expiringUploads(entries, now).map(({ message }) => `${message}; ${EXPIRY_REMEDY}`);
}

/** For /metrics: nothing for those whose end is not near. */
export function uploadFamilies(entries: readonly CertificateEntry[], now: number): readonly Family[] {
  const samples = expiringUploads(entries, now).map(({ entry, days }) => ({
    labels: { name: entry.names[0] ?? '' },
    value: days,
  }));
  return [
    {
      name: 'postern_certificate_expires_within_days',
      type: 'gauge',
      help: 'Uploaded certificates that end within 30, 14, 7 or 1 days and have no successor, by the first name; 0: expired.',
      samples,
    },
  ];
}
