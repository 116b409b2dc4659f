/**
 * Real pebble and pebble-challtestsrv, started from nothing on ports of their own: every name resolves to
 * 127.0.0.1, and validations come to the two ports that are given. Pebble's faults stay on unless a test says otherwise.
 */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeLeaf, writeRoot } from '../../src/certs/x509-writer.ts';
import { freePorts } from './free-ports.ts';
import { accepts, startProgram, until } from './programs.ts';

export interface PebbleOptions {
  /** Where validations come to. */
  readonly httpPort: number;
  readonly tlsPort: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly eab?: Readonly<Record<string, string>>;
  readonly blocked?: readonly string[];
  /** Seconds that pebble asks clients to wait between two looks. */
  readonly retryAfter?: { readonly authz: number; readonly order: number };
  readonly profiles?: Readonly<Record<string, { description: string; validityPeriod: number }>>;
}

export interface Pebble {
  readonly directory: string;
  /** PEM of what its API's certificate is of; for `acme.roots`. */
  readonly rootPem: string;
  readonly rootFile: string;
  /** Certificate and key of its API. */
  readonly apiPem: { readonly cert: string; readonly key: string };
  readonly output: () => string;
  /** How many certificates it has issued. */
  readonly issued: () => number;
  /** Orders that it took for replacements, and those of its certificates that it cannot find by their renewal id. */
  readonly replacements: () => { readonly noted: number; readonly unfindable: number };
  /** The root of what it issues. */
  readonly issuerPem: () => Promise<string>;
  readonly management: (path: string, body?: string) => Promise<string>;
  /** Of pebble-challtestsrv: `set-txt`, `add-caa`, `clear-txt`. */
  readonly dns: (path: string, body: unknown) => Promise<void>;
  readonly dnsPort: number;
  readonly stop: () => Promise<void>;
}

const PROFILES = {
  default: { description: 'As long as usual', validityPeriod: 7_776_000 },
  shortlived: { description: 'Six days', validityPeriod: 518_400 },
};

/**
 * RFC 9773 section 4.1 takes the serial as DER has it, with a zero before a high bit; pebble keeps it without, and
 * answers 500 to `replaces`. So it is with one in 256, whose first byte of eight happens to be none.
 */
const UNFINDABLE = /Issued certificate serial [89a-f](?:[0-9a-f]{2})*[0-9a-f] /;

export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-pebble-'));
  const [api = 0, management = 0, dnsPort = 0, dnsManagement = 0] = await freePorts(4);
  const rootPem = writeCertificate(dir);
  const config = {
    pebble: {
      listenAddress: `127.0.0.1:${api}`,
      managementListenAddress: `127.0.0.1:${management}`,
      certificate: join(dir, 'api.pem'),
      privateKey: join(dir, 'api.key'),
      httpPort: options.httpPort,
      tlsPort: options.tlsPort,
      externalAccountBindingRequired: options.eab !== undefined,
      externalAccountMACKeys: options.eab ?? {},
      domainBlocklist: options.blocked ?? [],
      retryAfter: options.retryAfter ?? { authz: 1, order: 1 },
      keyAlgorithm: 'ecdsa',
      profiles: options.profiles ?? PROFILES,
    },
  };
  writeFileSync(join(dir, 'pebble.json'), JSON.stringify(config));
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-doh', ''];
  const dns = ['-dnsserver', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${dnsManagement}`, '-defaultIPv6', ''];
  const names = startProgram('pebble-challtestsrv', [...off, ...dns]);
  const ca = startProgram(
    'pebble',
    ['-strict', '-config', join(dir, 'pebble.json'), '-dnsserver', `127.0.0.1:${dnsPort}`],
    {
      PEBBLE_AUTHZREUSE: '0',
      ...options.env,
    },
  );
  await until(async () => (await accepts(api)) && (await accepts(dnsManagement)), 'pebble listens');
  const manage = (path: string, body?: string): Promise<string> =>
    ask(`https://127.0.0.1:${management}/${path}`, rootPem, body);
  return {
    directory: `https://127.0.0.1:${api}/dir`,
    rootPem,
    rootFile: join(dir, 'root.pem'),
    apiPem: { cert: readFileSync(join(dir, 'api.pem'), 'utf8'), key: readFileSync(join(dir, 'api.key'), 'utf8') },
    output: ca.output,
    issued: () => ca.output().split('Issued certificate serial').length - 1,
    replacements: () => ({
      noted: ca.output().split('is a replacement of').length - 1,
      unfindable: ca.output().split(UNFINDABLE).length - 1,
    }),
    issuerPem: () => manage('roots/0'),
    management: manage,
    async dns(path, body) {
      const response = await fetch(`http://127.0.0.1:${dnsManagement}/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`Cannot tell pebble-challtestsrv "${path}": ${response.status}`);
    },
    dnsPort,
    async stop() {
      await Promise.all([ca.stop(), names.stop()]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** So many orders came as replacements, as far as pebble can tell. */
export function assertReplacements(pebble: Pebble, wanted: number): void {
  const { noted, unfindable } = pebble.replacements();
  assert.ok(noted <= wanted && noted >= wanted - unfindable, `${noted} of ${wanted}, ${unfindable} unfindable`);
}

function writeCertificate(dir: string): string {
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const validity = { notBefore: Date.now() - 3_600_000, notAfter: Date.now() + 86_400_000 };
  const rootPem = writeRoot({ ...validity, commonName: 'Root of a test CA', permitted: ['127.0.0.1'], ...root });
  const issuer = { commonName: 'Root of a test CA', ...root };
  const { publicKey } = leaf;
  writeFileSync(join(dir, 'root.pem'), rootPem);
  writeFileSync(join(dir, 'api.pem'), writeLeaf({ ...validity, name: '127.0.0.1', publicKey, issuer }) + rootPem);
  writeFileSync(join(dir, 'api.key'), leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return rootPem;
}

function ask(url: string, ca: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request(
      url,
      { ca, method: body === undefined ? 'GET' : 'POST', agent: false, headers: { 'user-agent': 'test' } },
      (res) => {
        let text = '';
        res.on('data', (chunk: Buffer) => (text += chunk.toString()));
        res.on('end', () => {
          if ((res.statusCode ?? 0) < 400) resolve(text);
          else reject(new Error(`Cannot ask pebble for ${url}: ${res.statusCode} ${text}`));
        });
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}
