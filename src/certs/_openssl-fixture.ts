/** Certificates for tests, made by the openssl program: an independent hand, and kinds that Postern never issues. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Fixture {
  readonly folder: string;
  readonly path: (name: string) => string;
  readonly write: (name: string, text: string) => string;
  readonly read: (name: string) => string;
  /** Writes NAME.pem and NAME.key. */
  readonly make: (name: string, options: FixtureCertificate) => { certificate: string; key: string };
  readonly openssl: (...parts: string[]) => string;
  readonly remove: () => void;
}

export interface FixtureCertificate {
  readonly names: readonly string[];
  readonly kind?: 'ec' | 'rsa' | 'rsa1024';
  /** Name of a certificate made before with `isCa`. */
  readonly issuer?: string;
  readonly isCa?: boolean;
  /** Offsets from now in days. */
  readonly from?: number;
  readonly days?: number;
  readonly usage?: string;
}

const KEYS = {
  ec: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  rsa1024: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
} as const;

export function createFixture(): Fixture {
  const folder = mkdtempSync(join(tmpdir(), 'postern-certs-'));
  const path = (name: string): string => join(folder, name);
  const openssl = (...parts: string[]): string =>
    execFileSync('openssl', parts, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return {
    folder,
    path,
    make: (name, options) => makeCertificate({ name, folder, openssl, ...options }),
    openssl,
    write: (name, text) => {
      writeFileSync(path(name), text);
      return path(name);
    },
    read: (name) => readFileSync(path(name), 'utf8'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

interface Order extends FixtureCertificate {
  readonly name: string;
  readonly folder: string;
  readonly openssl: Fixture['openssl'];
}

function makeCertificate(order: Order): { certificate: string; key: string } {
  const path = (file: string): string => join(order.folder, file);
  const { name, openssl, names, kind = 'ec', issuer, isCa = false, from = -1, days = 90, usage } = order;
  openssl('genpkey', ...KEYS[kind], '-out', `${name}.key`);
  openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  const san = names.map((one) => (/^[\d.]+$/.test(one) ? `IP:${one}` : `DNS:${one}`)).join(',');
  const lines = [`basicConstraints=critical,CA:${isCa ? 'TRUE' : 'FALSE'}`];
  if (san !== '') lines.push(`subjectAltName=${san}`);
  if (usage !== undefined) lines.push(`extendedKeyUsage=${usage}`);
  writeFileSync(path(`${name}.ext`), `${lines.join('\n')}\n`);
  writeFileSync(path(`${name}.index`), '');
  // `openssl ca` alone takes dates, and takes its database from a configuration only.
  writeFileSync(
    path(`${name}.cnf`),
    `[d]\ndatabase=${name}.index\nunique_subject=no\nrand_serial=yes\npolicy=p\n[p]\ncommonName=supplied\n`,
  );
  const signer =
    issuer === undefined
      ? ['-selfsign', '-keyfile', `${name}.key`]
      : ['-cert', `${issuer}.pem`, '-keyfile', `${issuer}.key`];
  const stamp = (day: number): string =>
    new Date(Date.now() + day * 86_400_000).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  openssl(
    'ca',
    '-batch',
    '-notext',
    '-config',
    `${name}.cnf`,
    ...signer,
    '-in',
    `${name}.csr`,
    '-out',
    `${name}.pem`,
    '-extfile',
    `${name}.ext`,
    '-startdate',
    stamp(from),
    '-enddate',
    stamp(days),
    '-outdir',
    '.',
    '-name',
    'd',
    '-md',
    'sha256',
    '-rand_serial',
  );
  return { certificate: path(`${name}.pem`), key: path(`${name}.key`) };
}
