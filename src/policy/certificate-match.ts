/**
 * Which client certificate a `client-certificate:` rule means: a SHA-256 fingerprint (64 hex digits,
 * colons allowed), `cn=`, `email=`, `dns=`, or `*` for any that the host's CA signed. Only certificates
 * that verified reach a rule, and names are compared whole, never by pattern.
 */
import { assertNever } from '../core/assert-never.ts';
import type { ClientCertificate } from '../wire/exchange.ts';
import { parseEmailAddress, parseEmailDomain } from './email-address.ts';

export type CertificateMatch =
  | { readonly by: 'any' }
  | { readonly by: 'fingerprint' | 'cn' | 'email' | 'dns'; readonly value: string };

const HEX = /^[0-9a-f]{64}$/;
const COLON_HEX = /^[0-9a-f]{2}(?::[0-9a-f]{2}){31}$/;

/** Reads the value of a rule, or answers null. */
export function parseCertificateMatch(text: string): CertificateMatch | null {
  if (text === '*') return { by: 'any' };
  const equals = text.indexOf('=');
  if (equals === -1) return parseFingerprint(text);
  const value = text.slice(equals + 1);
  if (value === '' || value !== value.trim()) return null;
  switch (text.slice(0, equals)) {
    case 'fingerprint':
      return parseFingerprint(value);
    case 'cn':
      return { by: 'cn', value };
    case 'email': {
      const address = parseEmailAddress(value);
      return address && { by: 'email', value: address.text };
    }
    case 'dns': {
      const name = parseEmailDomain(value);
      return name === null ? null : { by: 'dns', value: name };
    }
    default:
      return null;
  }
}

/** A certificate of which nothing is known but what is said here: for questions about one. */
export function certificateOf(match: CertificateMatch): ClientCertificate {
  const value = match.by === 'any' ? '' : match.value;
  return {
    fingerprint: match.by === 'fingerprint' ? value : '0'.repeat(64),
    subject: match.by === 'cn' ? `CN=${value}` : '',
    commonName: match.by === 'cn' ? value : null,
    emails: match.by === 'email' ? [value] : [],
    dnsNames: match.by === 'dns' ? [value] : [],
    policy: '',
  };
}

function parseFingerprint(text: string): CertificateMatch | null {
  const lower = text.toLowerCase();
  if (HEX.test(lower)) return { by: 'fingerprint', value: lower };
  return COLON_HEX.test(lower) ? { by: 'fingerprint', value: lower.replaceAll(':', '') } : null;
}

/** Whether a verified certificate is the one that is meant. */
export function isCertificateMeant(match: CertificateMatch, certificate: ClientCertificate): boolean {
  switch (match.by) {
    case 'any':
      return true;
    case 'fingerprint':
      return certificate.fingerprint === match.value;
    case 'cn':
      return certificate.commonName === match.value;
    case 'email':
      return certificate.emails.some((email) => parseEmailAddress(email)?.text === match.value);
    case 'dns':
      return certificate.dnsNames.some((name) => parseEmailDomain(name) === match.value);
    default:
      return assertNever(match);
  }
}
