/**
 * Takes PEM texts apart and puts a chain in order: the certificate that the key belongs to first, then
 * each one's issuer. Certificates that are no part of that chain are left out, since some clients
 * refuse a chain with strangers in it.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';

const CERTIFICATE_BLOCK =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** Certificates of a PEM text in its order; null where a block does not parse. */
export function parseCertificates(pem: string): (X509Certificate | null)[] {
  return (pem.match(CERTIFICATE_BLOCK) ?? []).map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      return null;
    }
  });
}

export interface Chain {
  readonly leaf: X509Certificate;
  readonly certificates: readonly X509Certificate[];
  /** False where the file had another order, or certificates that do not belong to it. */
  readonly isAsWritten: boolean;
}

/** The chain of the certificate that `key` belongs to, or null where none is its. */
export function chainFor(key: KeyObject, all: readonly X509Certificate[]): Chain | null {
  const leaf = all.find((certificate) => certificate.checkPrivateKey(key));
  if (leaf === undefined) return null;
  const rest = all.filter((certificate) => certificate !== leaf);
  const certificates = [leaf];
  for (let last = leaf; ;) {
    const index = rest.findIndex((candidate) => last.checkIssued(candidate) && last.verify(candidate.publicKey));
    const issuer = rest.splice(index, index === -1 ? 0 : 1)[0];
    if (issuer === undefined) break;
    certificates.push(issuer);
    last = issuer;
  }
  return { leaf, certificates, isAsWritten: certificates.every((one, at) => one === all[at]) && rest.length === 0 };
}

export function chainPem(chain: Chain): string {
  return chain.certificates.map((certificate) => certificate.toString()).join('');
}
