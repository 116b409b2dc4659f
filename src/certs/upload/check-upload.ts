/**
 * Checks a certificate and its key before they are kept: each check by itself, so that all that is wrong is said
 * at once, with the remedy. Puts the chain in order and leaves strangers and roots out of what is sent.
 * Fetches nothing: what is missing is named, with the place where the CA offers it.
 */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext, getCACertificates } from 'node:tls';
import { chainFor, type Chain } from '../_certificate-chain.ts';
import { wantsStapling } from '../der-reader.ts';
import { namesOf } from '../names.ts';
import { CLOUDFLARE_REMARKS, isCloudflareOrigin } from './cloudflare.ts';
import { readKeyUsage } from './extensions.ts';

export interface UploadMaterial {
  readonly certificates: readonly X509Certificate[];
  /** PEM, not encrypted. One of them is the certificate's. */
  readonly keys: readonly string[];
}

export interface UploadTerms {
  readonly now: number;
  /** The clients have the missing issuer: a CA of one's own. */
  readonly mayBeIncomplete: boolean;
}

export type UploadCheck = 'key' | 'chain' | 'names' | 'time' | 'algorithm' | 'purpose' | 'openssl';

export interface UploadProblem {
  readonly check: UploadCheck;
  readonly message: string;
  readonly remedy: string;
}

export interface UploadVerdict {
  /** Null where a problem stands against it. */
  readonly accepted: { readonly chain: string; readonly keyPem: string; readonly names: readonly string[] } | null;
  readonly problems: readonly UploadProblem[];
  /** What the operator should know all the same. */
  readonly remarks: readonly string[];
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_USAGE = '2.5.29.37.0';
const RSA_MIN_BITS = 2048;
/** What browsers verify. */
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1']);

const MUST_STAPLE =
  'It demands a stapled OCSP answer ("must-staple"), which nobody gives any more, since CAs have ended OCSP: strict clients will refuse it; have it issued without';

export function checkUpload(material: UploadMaterial, terms: UploadTerms): UploadVerdict {
  const problems: UploadProblem[] = [];
  const remarks: string[] = [];
  const found = findPair(material);
  if ('problem' in found) return { accepted: null, problems: [found.problem], remarks };
  const { chain, key } = found;
  const { leaf } = chain;
  problems.push(...checkNames(leaf), ...checkTime(chain, terms.now), ...checkPurpose(leaf));
  const algorithms = checkAlgorithms(chain);
  problems.push(...algorithms);
  const ending = isCloudflareOrigin(leaf) ? COMPLETE : endOf(chain);
  if (ending.problem !== null && !terms.mayBeIncomplete) problems.push(ending.problem);
  if (ending.remark !== null) remarks.push(ending.remark);
  const sent = withoutRoot(chain);
  if (!chain.isAsWritten) remarks.push(...leftOut(material, chain));
  if (isCloudflareOrigin(leaf)) remarks.push(...CLOUDFLARE_REMARKS);
  if (wantsStapling(leaf.raw)) remarks.push(MUST_STAPLE);
  if (namesOf(leaf).some((name) => name.startsWith('*.') && !name.slice(2).includes('.')))
    remarks.push('A wildcard right below a top-level name is refused by many programs');
  const pem = sent.map((one) => one.toString()).join('');
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  // What the checks above explain better is not said a second time.
  if (algorithms.length === 0) problems.push(...checkWithOpenSsl(pem, keyPem));
  const accepted = problems.length > 0 ? null : { chain: pem, keyPem, names: namesOf(leaf) };
  return { accepted, problems, remarks };
}

interface Pair {
  readonly chain: Chain;
  readonly key: KeyObject;
}

function findPair({ certificates, keys }: UploadMaterial): Pair | { readonly problem: UploadProblem } {
  const parsed = keys.map((pem) => createPrivateKey(pem));
  for (const key of parsed) {
    const chain = chainFor(key, certificates);
    if (chain !== null) return { chain, key };
  }
  const listed = certificates.slice(0, 4).map((one) => `"${titleOf(one)}"`);
  const message = `The key does not match the certificate (${listed.join(', ')})`;
  return { problem: { check: 'key', message, remedy: 'give the key that the certificate was requested with' } };
}

function checkNames(leaf: X509Certificate): UploadProblem[] {
  if (namesOf(leaf).length > 0) return [];
  const message = `"${titleOf(leaf)}" names no host: it has no subject alternative name, and clients have not looked at the common name for years`;
  return [{ check: 'names', message, remedy: 'have it issued with the host as a DNS name (subjectAltName)' }];
}

function checkTime({ certificates }: Chain, now: number): UploadProblem[] {
  return certificates.flatMap((one) => {
    const [from, to] = [one.validFromDate.getTime(), one.validToDate.getTime()];
    if (to <= now) {
      const message = `"${titleOf(one)}" expired on ${dayOf(to)}`;
      return [{ check: 'time' as const, message, remedy: 'get a new certificate from the CA' }];
    }
    if (from <= now) return [];
    const message = `"${titleOf(one)}" is not valid before ${new Date(from).toISOString().slice(0, 16)}Z`;
    return [{ check: 'time' as const, message, remedy: "check this machine's clock, or upload it then" }];
  });
}

function checkPurpose(leaf: X509Certificate): UploadProblem[] {
  const problems: UploadProblem[] = [];
  const add = (message: string, remedy: string): void => void problems.push({ check: 'purpose', message, remedy });
  const title = titleOf(leaf);
  if (leaf.ca)
    add(
      `"${title}" is the certificate of a CA, not of a server`,
      'upload the server certificate that it issued; with openssl, make a self-signed one with -addext basicConstraints=critical,CA:FALSE',
    );
  // Undefined where the certificate does not say, whatever the types say.
  const usage = (leaf as { keyUsage?: string[] }).keyUsage;
  if (usage !== undefined && !usage.includes(SERVER_AUTH) && !usage.includes(ANY_USAGE))
    add(`"${title}" is not for servers: its extended key usage lacks serverAuth`, 'have one issued for TLS servers');
  const key = readKeyUsage(leaf.raw);
  if (key !== null && !key.digitalSignature)
    add(`"${title}" may not sign: its key usage lacks digitalSignature`, 'have one issued for TLS servers');
  return problems;
}

function checkAlgorithms({ certificates }: Chain): UploadProblem[] {
  return certificates.flatMap((one, at) => {
    const isRoot = isSelfSigned(one);
    const weak = [keyWeakness(one), isRoot && at > 0 ? null : signatureWeakness(one)].filter((text) => text !== null);
    return weak.map((message) => ({
      check: 'algorithm' as const,
      message: `"${titleOf(one)}" ${message}`,
      remedy:
        at === 0 ? 'have it issued anew, with a P-256 or RSA 2048 key and SHA-256' : 'use a newer chain of the CA',
    }));
  });
}

function keyWeakness({ publicKey }: X509Certificate): string | null {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    return bits < RSA_MIN_BITS ? `has an RSA key of ${bits} bits; at least ${RSA_MIN_BITS} are safe` : null;
  }
  const curve = details?.namedCurve ?? type ?? 'unknown';
  if (type !== 'ec') return `has a key of type "${curve}", which not all browsers know`;
  return CURVES.has(curve) ? null : `has a key on the curve "${curve}", which not all browsers know`;
}

function signatureWeakness(certificate: X509Certificate): string | null {
  const algorithm = certificate.signatureAlgorithm ?? '';
  const hash = /(?:sha-?1(?![0-9])|md[245])/i.exec(algorithm)?.[0];
  return hash === undefined ? null : `is signed with ${hash.toUpperCase()}, which can be forged`;
}

interface Ending {
  readonly problem: UploadProblem | null;
  readonly remark: string | null;
}

const COMPLETE: Ending = { problem: null, remark: null };

/** Up to a root that is in the file, or that this machine or browsers have. */
function endOf({ certificates }: Chain): Ending {
  const last = certificates.at(-1);
  if (last === undefined) return COMPLETE;
  if (isSelfSigned(last)) {
    const isAlone = certificates.length === 1;
    const isKnown = knownRoots().some((root) => root.fingerprint256 === last.fingerprint256);
    if (isAlone) return remark(`"${titleOf(last)}" is self-signed: clients refuse it until they are told to trust it`);
    return isKnown
      ? COMPLETE
      : remark(
          `Its root "${titleOf(last)}" is not one that browsers have: only clients that were given it trust this certificate`,
        );
  }
  if (knownRoots().some((root) => last.checkIssued(root) && last.verify(root.publicKey))) return COMPLETE;
  const issuer = commonNameIn(last.issuer);
  const place = aiaOf(last);
  const offered = place === null ? '' : `; the CA offers it at ${place} (DER: openssl x509 -inform DER -in FILE)`;
  return {
    remark: null,
    problem: {
      check: 'chain',
      message: `The chain is not complete: the certificate of "${issuer}", which issued "${titleOf(last)}", is missing`,
      remedy: `append it to the certificate file${offered}; where "${issuer}" is a CA of your own that clients have, use --incomplete-chain`,
    },
  };
}

function remark(text: string): Ending {
  return { problem: null, remark: text };
}

let roots: X509Certificate[] | null = null;

function knownRoots(): readonly X509Certificate[] {
  roots ??= [...new Set([...getCACertificates('bundled'), ...getCACertificates('system')])].flatMap((pem) => {
    try {
      return [new X509Certificate(pem)];
    } catch {
      return [];
    }
  });
  return roots;
}

/** Clients have their roots; what they are sent of one they ignore. */
function withoutRoot({ certificates }: Chain): readonly X509Certificate[] {
  return certificates.filter((one, at) => at === 0 || !isSelfSigned(one));
}

function leftOut({ certificates }: UploadMaterial, chain: Chain): string[] {
  const strangers = certificates.filter((one) => !chain.certificates.includes(one));
  const copies = new Set(chain.certificates.map((one) => one.fingerprint256));
  const titles = strangers.filter((one) => !copies.has(one.fingerprint256)).map((one) => `"${titleOf(one)}"`);
  if (titles.length > 0) return [`Left out, since the chain does not need it: ${titles.join(', ')}`];
  return strangers.length > 0
    ? ['The same certificate stood there more than once']
    : ['The certificates were put in order'];
}

/** OpenSSL has the last word: whatever else a handshake would refuse. */
function checkWithOpenSsl(cert: string, key: string): UploadProblem[] {
  try {
    createSecureContext({ cert, key, ca: [] });
    return [];
  } catch (error) {
    const why = (error as Error).message.replace(/^error:[^:]*:[^:]*:[^:]*:/, '');
    return [{ check: 'openssl', message: `OpenSSL refuses it: ${why}`, remedy: 'have it issued anew' }];
  }
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

function aiaOf({ infoAccess }: X509Certificate): string | null {
  return /^CA Issuers - URI:(https?:\/\/[^\s"]+)$/m.exec(infoAccess ?? '')?.[1] ?? null;
}

/** Common name, or what stands for it. */
export function titleOf(certificate: X509Certificate): string {
  // Undefined where it is empty, whatever the types say.
  const { subject } = certificate as { subject?: string };
  return commonNameIn(subject ?? '') || namesOf(certificate)[0] || 'a certificate without a name';
}

function commonNameIn(name: string): string {
  const found = /(?:^|\n)CN=(.*)/.exec(name)?.[1] ?? /(?:^|\n)OU?=(.*)/.exec(name)?.[1] ?? '';
  // Whoever wrote the certificate chose this text: it must not move a terminal's cursor.
  return found.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?').slice(0, 80);
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
