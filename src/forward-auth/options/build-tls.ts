/** TLS of the own listener: files, least version, cipher suites by the names that Go gives them. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { openSource } from './build-secret.ts';
import type { MetricsSettings, Secret, ServerSettings } from '../settings.ts';
import type { BuildContext } from './context.ts';
import type { Told } from './told.ts';
import type { TlsInput } from './structured.ts';

/** IANA name -> OpenSSL name, of those that Go and OpenSSL both hold safe enough; TLS 1.3 has its own below. */
const SUITES: ReadonlyMap<string, string> = new Map([
  ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA', 'ECDHE-ECDSA-AES128-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA', 'ECDHE-ECDSA-AES256-SHA'],
  ['TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', 'ECDHE-ECDSA-AES128-SHA256'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA', 'ECDHE-RSA-AES256-SHA'],
  ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256', 'ECDHE-RSA-AES128-SHA256'],
  ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
  ['TLS_RSA_WITH_AES_256_GCM_SHA384', 'AES256-GCM-SHA384'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA', 'AES128-SHA'],
  ['TLS_RSA_WITH_AES_256_CBC_SHA', 'AES256-SHA'],
  ['TLS_RSA_WITH_AES_128_CBC_SHA256', 'AES128-SHA256'],
  ['TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
  ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
  ['TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'],
]);

export function buildTls(context: BuildContext, tls: TlsInput | null): ServerSettings['tls'] {
  if (tls === null) return null;
  const { told } = context;
  const certificate = openPart(context, tls.certificate, 'tls_cert_file');
  const key = openPart(context, tls.key, 'tls_key_file');
  if (certificate !== null && key !== null)
    checkPair(told, { certificate: certificate.read(), key: key.read(), prefix: '' });
  const minVersion = leastVersion(told);
  const ciphers = cipherSuites(told);
  if (certificate === null || key === null) return null;
  const file = (source: TlsInput['key']): string => source?.fromFile ?? '';
  return { certificateFile: file(tls.certificate), keyFile: file(tls.key), certificate, key, minVersion, ciphers };
}

export function buildMetricsTls(
  context: BuildContext,
  tls: TlsInput | null,
): NonNullable<MetricsSettings['tls']> | null {
  if (tls === null) return null;
  const certificate = openPart(context, tls.certificate, 'metrics_tls_cert_file');
  const key = openPart(context, tls.key, 'metrics_tls_key_file');
  if (certificate === null || key === null) return null;
  checkPair(context.told, { certificate: certificate.read(), key: key.read(), prefix: 'metrics_' });
  return { certificate, key };
}

function openPart(context: BuildContext, source: TlsInput['key'], option: string): Secret | null {
  const other = option.endsWith('tls_cert_file')
    ? option.replace('cert_file', 'key_file')
    : option.replace('key_file', 'cert_file');
  if (source !== null) return openSource(context, source, { option, source: context.told.sourceOf(option) });
  context.told.fault(option, `is needed beside ${other}`, 'give certificate and key');
  return null;
}

interface Pair {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Of the options' names. */
  readonly prefix: string;
}

function checkPair(told: Told, { certificate, key, prefix }: Pair): void {
  const keyOption = `${prefix}tls_key_file`;
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
  } catch {
    told.fault(`${prefix}tls_cert_file`, 'holds no certificate', 'give a file in PEM form, the leaf first');
    return;
  }
  try {
    const own = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
    if (own.equals(leaf.publicKey.export({ type: 'spki', format: 'der' }))) return;
    told.fault(keyOption, 'does not belong to the certificate', 'give the key that the certificate was made for');
  } catch {
    told.fault(keyOption, 'holds no private key that can be read', 'give a key without a passphrase, in PEM form');
  }
}

function leastVersion(told: Told): 'TLSv1.2' | 'TLSv1.3' {
  const text = told.string('tls_min_version');
  if (text === 'TLS1.3') return 'TLSv1.3';
  if (text !== '' && text !== 'TLS1.2')
    told.fault('tls_min_version', `is ${told.quoted('tls_min_version')}`, 'write TLS1.2 or TLS1.3');
  return 'TLSv1.2';
}

function cipherSuites(told: Told): readonly string[] {
  const names = told.list('tls_cipher_suites').flatMap((name) => {
    const suite = SUITES.get(name);
    if (suite !== undefined) return [suite];
    const message = `holds ${told.quoted('tls_cipher_suites', name)}, which is not spoken here`;
    told.fault('tls_cipher_suites', message, 'take it out, or leave the choice to Postern: write none at all');
    return [];
  });
  return [...new Set(names)];
}
