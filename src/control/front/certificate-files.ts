/**
 * One certificate for whatever name a client asks for, read again when its files change: `tls-cert-file` and
 * `tls-key-file`, or PEM in the settings themselves. A pair that does not hold is told about, and the one
 * before goes on.
 */
import { createSecureContext, type SecureContext } from 'node:tls';
import { TLS_CIPHERS, TLS_GROUPS, TLS_SERVER_OPTIONS } from '../../certs/certificate-store.ts';
import { watchFiles } from '../../certs/file-watch.ts';
import { createCertificateReader } from '../../certs/files.ts';
import { PosternError } from '../../core/errors.ts';
import type { Logger } from '../../core/log.ts';
import type { CertificateSource } from '../../edge/tls-servers.ts';
import type { Secret } from '../../forward-auth/settings.ts';

export interface CertificatePair {
  /** "" where it is in the settings themselves. */
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly certificate: Secret;
  readonly key: Secret;
}

export interface CertificateFilesOptions extends CertificatePair {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly ciphers: string | null;
  readonly log: Logger;
}

export interface OpenCertificateFiles {
  readonly source: CertificateSource;
  readonly close: () => void;
}

/** Throws TLS_BAD_CERTIFICATE where the pair cannot be served at the start. */
export function openCertificateFiles(options: CertificateFilesOptions): OpenCertificateFiles {
  const { certificateFile, keyFile, log } = options;
  const load = createLoader(options);
  let context = load();
  const files = [certificateFile, keyFile].filter((file) => file !== '');
  const watch = watchFiles({
    files,
    onChange() {
      try {
        context = load();
        log.info({ certificate: certificateFile }, 'Certificate read anew');
      } catch (error) {
        log.error({ code: 'TLS_BAD_CERTIFICATE', err: error }, 'Cannot use the new certificate: the old one goes on');
      }
    },
  });
  return {
    source: { contextFor: () => context, clientAuthFor: () => null },
    close: () => watch.close(),
  };
}

function createLoader(options: CertificateFilesOptions): () => SecureContext {
  const { certificateFile, keyFile, certificate, key, log } = options;
  if (certificateFile === '' || keyFile === '') return () => inlineContext(options, certificate, key);
  const read = createCertificateReader();
  return () => {
    const { entry, diagnostics } = read({ certificate: certificateFile, key: keyFile, at: [] }, Date.now());
    for (const { severity, message } of diagnostics) if (severity === 'warning') log.warn({}, message);
    if (entry !== null) return contextOf(options, entry.certificatePem, entry.keyPem);
    const { message = 'Certificate cannot be used', remedy = null } = diagnostics[0] ?? {};
    throw new PosternError('TLS_BAD_CERTIFICATE', remedy === null ? message : `${message}; ${remedy}`);
  };
}

function inlineContext(options: CertificateFilesOptions, certificate: Secret, key: Secret): SecureContext {
  try {
    return contextOf(options, certificate.read().toString('utf8'), key.read().toString('utf8'));
  } catch (error) {
    const message = `Cannot use the certificate of the settings: ${(error as Error).message}`;
    throw new PosternError('TLS_BAD_CERTIFICATE', message, {}, error);
  }
}

// oxlint-disable-next-line max-params -- PEM, PEM and how to use them
function contextOf({ minVersion, ciphers }: CertificateFilesOptions, cert: string, key: string): SecureContext {
  return createSecureContext({
    cert,
    key,
    ca: [],
    minVersion,
    ciphers: ciphers ?? TLS_CIPHERS,
    ecdhCurve: TLS_GROUPS,
    secureOptions: TLS_SERVER_OPTIONS,
  });
}
