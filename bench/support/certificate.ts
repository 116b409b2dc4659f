/** One self-signed ECDSA certificate for every gateway of a run, so that all of them pay for the same handshake. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface BenchCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly bundle: string;
}

export function makeCertificate(dir: string, names: readonly string[]): BenchCertificate {
  const certificate = join(dir, 'cert.pem');
  const key = join(dir, 'key.pem');
  const bundle = join(dir, 'bundle.pem');
  const san = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`;
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const rest = ['-nodes', '-days', '90', '-subj', '/CN=bench', '-addext', san, '-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', ...curve, ...rest], { stdio: 'ignore' });
  writeFileSync(bundle, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
  return { certificate, key, bundle };
}
