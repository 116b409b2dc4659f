/**
 * What a verified client certificate says about its holder. OpenSSL has verified the chain against
 * the CA set of the SNI context; because a context built without that set would fall back to the
 * public roots, the chain is walked here once more up to a CA of the policy. Text of the certificate
 * is quoted by Node where it holds separators (CVE-2021-44532), and read accordingly.
 */
import type { ClientCertificate } from '../wire/exchange.ts';
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

const MAX_CHAIN = 8;

export interface ClientAuthPolicy {
  /** Changes with mode and CA set. */
  readonly policyId: string;
  /** PEM texts. */
  readonly ca: readonly string[];
  readonly mode: 'request' | 'require';
}

/** CA certificates of a policy, ready to compare with. */
export function parseAuthorities(ca: readonly string[]): X509Certificate[] {
  const blocks = ca.flatMap((pem) => pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []);
  return blocks.map((block) => new X509Certificate(block));
}

/** The facts of the peer's certificate, or null where there is none that verified. */
export function clientCertificateOf(
  socket: TLSSocket,
  policyId: string,
  authorities: readonly X509Certificate[],
): ClientCertificate | null {
  if (!socket.authorized) return null;
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined || !endsAtAuthority(leaf, authorities)) return null;
  const { dnsNames, emails } = parseAlternativeNames(leaf.subjectAltName ?? '');
  return {
    fingerprint: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    subject: leaf.subject === undefined ? '' : leaf.subject.split('\n').join(', '),
    commonName: commonNameOf(socket),
    emails,
    dnsNames,
    policy: policyId,
  };
}

function endsAtAuthority(leaf: X509Certificate, authorities: readonly X509Certificate[]): boolean {
  let current: X509Certificate | undefined = leaf;
  for (let depth = 0; current !== undefined && depth < MAX_CHAIN; depth++) {
    const certificate: X509Certificate = current;
    if (authorities.some((ca) => isSame(certificate, ca) || isIssuedBy(certificate, ca))) return true;
    const issuer: X509Certificate | undefined = certificate.issuerCertificate;
    if (issuer === undefined || isSame(issuer, certificate) || !isIssuedBy(certificate, issuer)) return false;
    current = issuer;
  }
  return false;
}

const isSame = (a: X509Certificate, b: X509Certificate): boolean => a.raw.equals(b.raw);
const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

/** Null where there is not exactly one: two common names are two readings. */
function commonNameOf(socket: TLSSocket): string | null {
  const name: unknown = socket.getPeerCertificate(false).subject?.CN;
  return typeof name === 'string' ? name : null;
}

export interface AlternativeNames {
  readonly dnsNames: readonly string[];
  readonly emails: readonly string[];
}

/** Reads Node's text form, e.g. `DNS:a.example, email:"a, DNS:b"@x`; stops at what it cannot read. */
export function parseAlternativeNames(text: string): AlternativeNames {
  const dnsNames: string[] = [];
  const emails: string[] = [];
  const entry = /(?:^|, )([^:,"]+):(?:"((?:[^"\\]|\\.)*)"|([^",]*))(?=, |$)/y;
  for (let at = 0; at < text.length; at = entry.lastIndex) {
    entry.lastIndex = at;
    const found = entry.exec(text);
    if (found === null) break;
    // A quoted value held a separator or a control character: nothing that is a name or a mailbox.
    const value = found[3] ?? '';
    if (found[1] === 'DNS' && /^[A-Za-z0-9*._-]+$/.test(value)) dnsNames.push(value.toLowerCase());
    if (found[1] === 'email' && /^[^\s@]+@[^\s@]+$/.test(value)) emails.push(value);
  }
  return { dnsNames, emails };
}
