/**
 * What is sent to visitors of the chain that a CA gave. As it came, where it leads from the certificate of our key to an
 * issuer that visitors know; else in order, with an intermediate that it lacks and that an earlier chain has. Refuses
 * nothing: a chain without its intermediate works for whoever knows that already.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { getCACertificates } from 'node:tls';
import { chainFor, chainPem, parseCertificates } from '../_certificate-chain.ts';

const END = '-----END CERTIFICATE-----';

export interface ArrangedChain {
  readonly pem: string;
  /** Name of the issuer that it lacks and nobody here has; null for none. */
  readonly lacks: string | null;
}

export interface ChainSources {
  /** PEM of chains that came before, of whichever CA. */
  readonly earlier: () => Promise<readonly string[]>;
  /** PEM of roots that the document gives. */
  readonly roots: string | null;
  readonly now: number;
}

/** Null where no certificate of the chain is the key's. */
export async function arrangeChain(pem: string, key: KeyObject, sources: ChainSources): Promise<ArrangedChain | null> {
  const all = certificatesIn(pem);
  const chain = chainFor(key, all);
  if (chain === null) return null;
  const sent = all[0] === chain.leaf ? pem : chainPem(chain);
  if (chain.certificates.length > 1 || isOfRoot(chain.leaf, sources.roots)) return { pem: sent, lacks: null };
  for (const issuers of new Set((await sources.earlier()).map(withoutLeaf))) {
    const completed = chainFor(key, [chain.leaf, ...certificatesIn(issuers)]);
    const issuer = completed?.certificates[1];
    if (completed === null || issuer === undefined || issuer.validToDate.getTime() <= sources.now) continue;
    return { pem: chainPem(completed), lacks: null };
  }
  return { pem: sent, lacks: issuerOf(chain.leaf) };
}

/** As `lacks` of a chain that is in use. */
export function lackIn(pem: string, roots: string | null): string | null {
  if (pem.indexOf(END) !== pem.lastIndexOf(END)) return null;
  const [leaf] = certificatesIn(pem);
  return leaf === undefined || isOfRoot(leaf, roots) ? null : issuerOf(leaf);
}

/** One that has an issuer with it may leave the root out, as usual; one that stands alone has to be a root's own. */
function isOfRoot(leaf: X509Certificate, roots: string | null): boolean {
  const given = roots === null ? [] : certificatesIn(roots);
  const isIssuer = (root: X509Certificate): boolean => isIssuedBy(leaf, root) && isIssuedBy(root, root);
  return isIssuedBy(leaf, leaf) || given.some(isIssuer) || rootsOfMachine().some(isIssuer);
}

/** Some hundred and fifty, read once, and only where a CA issues by its root. */
const machine: { roots: readonly X509Certificate[] | null } = { roots: null };

/** Of Node's own list, and of the system's store, where a private root usually is. */
function rootsOfMachine(): readonly X509Certificate[] {
  machine.roots ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])].flatMap(
    certificatesIn,
  );
  return machine.roots;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** What thousands of chains of one CA have in common, so that it is read once; what is used has its leaf first. */
function withoutLeaf(pem: string): string {
  return pem.slice(pem.indexOf(END) + END.length).trim();
}

function certificatesIn(pem: string): X509Certificate[] {
  return parseCertificates(pem).filter((one) => one !== null);
}

function issuerOf({ issuer }: X509Certificate): string {
  return /(?:^|\n)CN=(.*)/.exec(issuer)?.[1] ?? issuer.replaceAll('\n', ', ');
}
