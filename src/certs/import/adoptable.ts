/**
 * Checks what another ACME client has left behind before it is taken over: the key is the certificate's, it is still
 * good, and a CA that anybody trusts issued it.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chainFor, parseCertificates } from '../_certificate-chain.ts';
import { namesOf } from '../names.ts';
import { certificateId, KEY_PURPOSE, type RenewalState, type Seal } from '../issuance/issued.ts';
import { subjectOf } from '../issuance/wanted.ts';
import { UnusableEntry, type FoundCertificate } from './found.ts';
import type { StoredCertificate } from '../../core/issuance-store.ts';

export interface AdoptionTerms {
  readonly seal: Seal;
  readonly now: number;
  /** What people call the CA of a directory. */
  readonly caName: (directory: string) => string;
  /** True where nobody trusts what it issues. */
  readonly isForTrials: (directory: string) => boolean;
}

/** As it is stored; UnusableEntry where it is of no use. */
export function adoptable(found: FoundCertificate, terms: AdoptionTerms): StoredCertificate {
  const { directory } = found;
  if (terms.isForTrials(directory)) throw new UnusableEntry(`it is of ${terms.caName(directory)}, which nobody trusts`);
  if (!URL.canParse(directory) || new URL(directory).protocol !== 'https:')
    throw new UnusableEntry(`its CA "${directory}" is not the https URL of a directory`);
  const { chain, keyPem, leaf } = openPair(found);
  const names = namesOf(leaf);
  if (names.length === 0) throw new UnusableEntry('its certificate names no host');
  if (leaf.validToDate.getTime() <= terms.now)
    throw new UnusableEntry(`it expired on ${leaf.validTo}; a new one is ordered where a host wants it`);
  const renewal: RenewalState = {
    advice: null,
    askAgainAt: 0,
    challenge: null,
    caName: terms.caName(directory),
    profile: null,
    isImported: true,
  };
  return {
    id: certificateId(chain),
    subject: subjectOf(names, leaf.publicKey.asymmetricKeyType === 'rsa'),
    directory,
    chain,
    sealedKey: terms.seal.seal(KEY_PURPOSE, keyPem),
    issuedAt: leaf.validFromDate.getTime(),
    revokedAt: null,
    renewal: JSON.stringify(renewal),
  };
}

function openPair({ chain: pem, keyPem: given }: FoundCertificate): {
  readonly chain: string;
  readonly keyPem: string;
  readonly leaf: X509Certificate;
} {
  const all = parseCertificates(pem).filter((one) => one !== null);
  if (all.length === 0) throw new UnusableEntry('its certificate does not parse');
  let key;
  try {
    key = createPrivateKey(given);
  } catch {
    throw new UnusableEntry('its private key does not parse');
  }
  const chain = chainFor(key, all);
  if (chain === null) throw new UnusableEntry('its key is not the key of its certificate');
  return {
    chain: chain.certificates.map((one) => one.toString()).join(''),
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    leaf: chain.leaf,
  };
}
