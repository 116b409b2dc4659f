/** What an operator is told of an order that failed: who is hurt, how long what is in use is good, how urgent it is. */
import { AcmeFailure, quoteWords } from '../acme/failure.ts';
import { nameSetOf } from './wanted.ts';
import type { Issued } from './issued.ts';

export interface FailedOrder {
  readonly error: Error;
  readonly subject: string;
  /** What it was to replace. */
  readonly before: Issued | null;
  /** What there is for the same names with another kind of key. */
  readonly beside: readonly Issued[];
}

const DAY_MS = 86_400_000;
const UNNAMED_PAUSE_MS = 60_000;
/** A failing renewal is an error of the first order with this part of the life left. */
const ALARM = 1 / 4;

export function describeFailedOrder(
  { error, subject, before, beside }: FailedOrder,
  now: number,
): { readonly isUrgent: boolean; readonly message: string } {
  if (before !== null) {
    const left = before.entry.notAfter - now;
    const days = Math.max(0, Math.floor(left / DAY_MS));
    const message = `Certificate not renewed: ${error.message}. The one in use is good for ${days} more days`;
    return { isUrgent: left < (before.entry.notAfter - before.notBefore) * ALARM, message };
  }
  const other = beside.find((one) => one.stored.subject !== subject && one.entry.notAfter > now);
  const names = nameSetOf(subject);
  if (other === undefined)
    return { isUrgent: true, message: `${error.message}. Visitors of "${names}" get a TLS error until it works` };
  const kind = other.entry.keyType === 'rsa' ? 'RSA' : 'ECDSA';
  const served = `Visitors of "${names}" are served the ${kind} certificate meanwhile`;
  return { isUrgent: true, message: `${error.message}. ${served}; those that cannot verify it get a TLS error` };
}

/** It is in use all the same: whoever knows the issuer from elsewhere can verify it, and browsers often do. */
export function describeLack(subject: string, ca: string, issuer: string): string {
  const remedy = `name another chain of ${ca} under acme.preferred_chain, or ask it for one; where ${quoteWords(issuer)} is a root that visitors have, give it under acme.roots`;
  return `The certificate of ${ca} for "${nameSetOf(subject)}" came without that of its issuer ${quoteWords(issuer)}: visitors that do not have it get a TLS error (${remedy})`;
}

/**
 * A limit that is about the account and not about these names holds for all orders: until when; null for none. One
 * without a time holds for a minute: the others would only be told the same.
 */
export function pauseAskedBy(error: Error, now: number): number | null {
  if (!(error instanceof AcmeFailure)) return null;
  if (error.kind !== 'rate-limited' && error.kind !== 'unreachable') return null;
  const isAboutNames =
    error.problem !== null && /exact set|certificates|failed authorizations/i.test(error.problem.detail);
  if (isAboutNames) return null;
  return error.retryAt ?? (error.kind === 'rate-limited' ? now + UNNAMED_PAUSE_MS : null);
}
