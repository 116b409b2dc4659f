/** Tells when uploaded certificates end: 30, 14, 7 and 1 days before, and that they have. Nobody else renews them. */
import { warning, type Diagnostic } from '../../core/diagnostic.ts';
import { coversName } from '../names.ts';
import type { CertificateEntry } from '../certificate-set.ts';

const DAY = 86_400_000;
export const WARN_AT_DAYS = [1, 7, 14, 30] as const;

/** The number of days within which it ends, of those that are told; 0 where it has ended; null: it is not near. */
export function endsWithinDays(notAfter: number, now: number): number | null {
  if (notAfter <= now) return 0;
  return WARN_AT_DAYS.find((days) => notAfter - now <= days * DAY) ?? null;
}

export interface Expiring {
  readonly entry: CertificateEntry;
  readonly days: number;
  readonly message: string;
}

/** Those that end soon and have no successor among the uploaded ones. */
export function expiringUploads(entries: readonly CertificateEntry[], now: number): readonly Expiring[] {
  return entries.flatMap((entry) => {
    const days = endsWithinDays(entry.notAfter, now);
    if (days === null || hasSuccessor(entry, entries)) return [];
    const day = new Date(entry.notAfter).toISOString().slice(0, 10);
    const when = days === 0 ? `expired on ${day}` : `expires within ${days} ${days === 1 ? 'day' : 'days'}, on ${day}`;
    return [{ entry, days, message: `The uploaded certificate for "${entry.names[0] ?? ''}" ${when}` }];
  });
}

export const EXPIRY_REMEDY = 'get a new one and upload it: postern cert add --cert FILE --key FILE';

export function expiryWarnings(entries: readonly CertificateEntry[], now: number): readonly Diagnostic[] {
  return expiringUploads(entries, now).map(({ message }) => warning(['tls'], message, EXPIRY_REMEDY));
}

function hasSuccessor(entry: CertificateEntry, all: readonly CertificateEntry[]): boolean {
  const later = all.filter((one) => one.notAfter > entry.notAfter && one.keyType === entry.keyType);
  return entry.names.every((name) => later.some((one) => coversName(one.names, name)));
}
