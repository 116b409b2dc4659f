/**
 * Downloads an issued chain (RFC 8555 section 7.4.2), and among its alternates the one that the operator
 * prefers: by the common name of the last certificate's issuer. Also the ids and windows of renewal
 * information (RFC 9773), and revocation (section 7.6).
 */
import { X509Certificate } from 'node:crypto';
import { parseCertificates } from '../_certificate-chain.ts';
import { readCertificateIdentity } from '../der-reader.ts';
import { AcmeFailure, quoteWords } from './failure.ts';
import { renewalInfoShape } from './messages.ts';
import { REVOCATION_REASONS, type RevocationReason } from './revocation-reasons.ts';
import type { AcmeClient } from './client.ts';
import type { Signer } from './jws.ts';

export interface ChainRequest {
  readonly url: string;
  readonly signer: Signer;
  /** Common name, or a part of it. */
  readonly preferred: string | null;
}

const PEM = 'application/pem-certificate-chain';
const ALTERNATES_MAX = 8;
const CHAIN_MAX = 10;
const AGAIN_MS = 1_000;

/** PEM of the chain, leaf first. */
export async function downloadChain(client: AcmeClient, request: ChainRequest, signal: AbortSignal): Promise<string> {
  const { url, preferred } = request;
  const first = await readChain(client, request, signal).catch(async (error: unknown) => {
    // Half of it, or the page of something in between, may be whole a moment later.
    if (!(error instanceof AcmeFailure) || error.kind !== 'malformed') throw error;
    await client.sleep(AGAIN_MS, signal);
    return readChain(client, request, signal);
  });
  // One without any issuer is of use to whoever knows that already: of the others one may be whole.
  const isWanted = ({ chain }: ReadChain): boolean =>
    preferred === null ? chain.length > 1 : isPreferred(chain, preferred);
  if (isWanted(first)) return first.pem;
  for (const alternate of alternatesOf(first.link, url)) {
    const other = await readChain(client, { ...request, url: alternate }, signal).catch((error: unknown) => {
      // Nobody asked for another one: what has come is of use without it.
      if (preferred !== null || !(error instanceof AcmeFailure)) throw error;
      return null;
    });
    if (other !== null && isWanted(other)) return other.pem;
  }
  // RFC 8555 section 7.4.2: any chain is good; without the wished-for one the default is taken.
  return first.pem;
}

interface ReadChain {
  readonly pem: string;
  readonly chain: readonly X509Certificate[];
  readonly link: string | string[] | undefined;
}

async function readChain(client: AcmeClient, { url, signer }: ChainRequest, signal: AbortSignal): Promise<ReadChain> {
  const step = `download the certificate from ${client.name}`;
  const ask = { url, payload: null, signer, step, accept: PEM, isNew: true };
  const { body: pem, headers } = await client.postRaw(ask, signal);
  return { pem, chain: checkedChain(pem, client, step), link: headers.link };
}

function checkedChain(pem: string, client: AcmeClient, step: string): X509Certificate[] {
  const all = parseCertificates(pem);
  const good = all.filter((one) => one !== null);
  if (good.length > 0 && good.length === all.length && good.length <= CHAIN_MAX) return good;
  const because = `${client.name} gives no certificate chain: ${quoteWords(pem.slice(0, 120))}`;
  throw new AcmeFailure({ kind: 'malformed', step, because });
}

function isPreferred(chain: readonly X509Certificate[], preferred: string): boolean {
  const wanted = preferred.toLowerCase();
  return chain.some((one) => (/(?:^|\n)CN=(.*)/.exec(one.issuer)?.[1] ?? '').toLowerCase().includes(wanted));
}

/** Targets of `Link: <URL>;rel="alternate"` (RFC 8288), where they stand at the same CA. */
export function alternatesOf(header: string | string[] | undefined, base: string): string[] {
  const text = Array.isArray(header) ? header.join(', ') : (header ?? '');
  const found: string[] = [];
  for (const [, target = '', parameters = ''] of text.matchAll(/<([^<>]{1,2000})>([^<]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?alternate(?:\s[^"]*)?"|alternate(?=[\s,;]|$))/i.test(parameters)) continue;
    if (!URL.canParse(target, base)) continue;
    const url = new URL(target, base);
    if (url.origin === new URL(base).origin) found.push(url.href);
  }
  return found.slice(0, ALTERNATES_MAX);
}

/** RFC 9773 section 4.1; null for a certificate without an authority key identifier. */
export function renewalIdOf(certificate: X509Certificate): string | null {
  const { serial, authorityKeyId } = readCertificateIdentity(certificate.raw);
  return authorityKeyId === null ? null : `${authorityKeyId.toString('base64url')}.${serial.toString('base64url')}`;
}

export interface RenewalWindow {
  readonly start: number;
  readonly end: number;
  readonly explanation: string | null;
  /** When to ask again, as the CA says. */
  readonly askAgainAt: number | null;
}

/** When the CA wants a certificate to be renewed; null where it has no opinion. */
export async function readRenewalWindow(
  client: AcmeClient,
  certificatePem: string,
  signal: AbortSignal,
): Promise<RenewalWindow | null> {
  const { renewalInfo } = await client.directory(signal);
  const id = renewalIdOf(new X509Certificate(certificatePem));
  if (renewalInfo === undefined || id === null) return null;
  const url = `${renewalInfo.replace(/\/$/, '')}/${id}`;
  const step = `ask ${client.name} when to renew`;
  const { value, retryAt } = await client.get(url, renewalInfoShape, step, signal);
  const [start, end] = [Date.parse(value.suggestedWindow.start), Date.parse(value.suggestedWindow.end)];
  // Section 4.2: an end that is not after its start is no window.
  if (end <= start)
    throw new AcmeFailure({ kind: 'malformed', step, because: `the window of ${client.name} ends before it starts` });
  return { start, end, explanation: value.explanationURL ?? null, askAgainAt: retryAt };
}

export async function revokeCertificate(
  client: AcmeClient,
  request: { readonly certificatePem: string; readonly reason: RevocationReason; readonly signer: Signer },
  signal: AbortSignal,
): Promise<void> {
  const { revokeCert: url } = await client.directory(signal);
  const certificate = new X509Certificate(request.certificatePem).raw.toString('base64url');
  const payload = { certificate, reason: REVOCATION_REASONS[request.reason] };
  const step = `revoke the certificate at ${client.name}`;
  try {
    await client.postRaw({ url, payload, signer: request.signer, step }, signal);
  } catch (error) {
    if (error instanceof AcmeFailure && error.problem?.type === 'alreadyRevoked') return;
    throw error;
  }
}
