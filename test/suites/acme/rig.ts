/** A Postern and a pebble that know each other, and visitors that trust what pebble issues. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import { freePorts } from '../../support/free-ports.ts';
import { startPostern, type PosternProcess } from '../../support/postern.ts';
import { startPebble, type Pebble, type PebbleOptions } from '../../support/pebble.ts';
import { until } from '../../support/programs.ts';

export interface AcmeRig {
  readonly pebble: Pebble;
  readonly postern: PosternProcess;
  readonly https: number;
  readonly http: number;
  readonly health: number;
  /** As it was written first. */
  readonly document: string;
  /** Starts Postern again on the same folder and ports. */
  readonly restart: (signal?: NodeJS.Signals) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface AcmeRigOptions {
  readonly hosts: string;
  readonly acme?: string;
  readonly more?: string;
  readonly pebble?: Partial<PebbleOptions>;
  readonly workers?: number;
  /** The directory as Postern knows it, where that is not pebble's own. */
  readonly directory?: (pebble: Pebble) => Promise<string>;
  readonly ports?: { readonly http: number; readonly https: number };
  /** The last word on the document. */
  readonly rewrite?: (document: string, pebble: Pebble) => Promise<string>;
  /** In place of a folder that is made and removed. */
  readonly dir?: string;
  /** One of `files`, loaded into every thread of Postern first. */
  readonly preload?: string;
  /** Pebble runs, Postern does not yet. */
  readonly beforeStart?: (pebble: Pebble) => void;
  readonly files?: Readonly<Record<string, string>>;
}

export async function openAcmeRig(options: AcmeRigOptions): Promise<AcmeRig> {
  const [freeHttp = 0, freeHttps = 0, health = 0] = await freePorts(3);
  const { http, https } = options.ports ?? { http: freeHttp, https: freeHttps };
  const pebble = await startPebble({ httpPort: http, tlsPort: https, ...options.pebble });
  options.beforeStart?.(pebble);
  const directory = (await options.directory?.(pebble)) ?? pebble.directory;
  const written = acmeDocument({ ...options, pebble: { ...pebble, directory }, http, https, health });
  const document = (await options.rewrite?.(written, pebble)) ?? written;
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'postern-acme-'));
  let postern = await startPostern({
    document: () => document,
    keepDir: dir,
    ...(options.files && { files: options.files }),
    ...(options.preload !== undefined && { preload: options.preload }),
  }).catch(async (error: unknown) => {
    await pebble.stop();
    throw error;
  });
  return {
    pebble,
    https,
    http,
    health,
    document,
    get postern() {
      return postern;
    },
    async restart(signal = 'SIGTERM') {
      const text = readFileSync(postern.configFile, 'utf8');
      await postern.close(signal);
      postern = await startPostern({ document: () => text, keepDir: dir });
    },
    async close() {
      await postern.close();
      await pebble.stop();
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

export interface AcmeDocumentParts extends Omit<AcmeRigOptions, 'pebble'> {
  readonly pebble: Pebble;
  readonly http: number;
  readonly https: number;
  readonly health: number;
}

export function acmeDocument(parts: AcmeDocumentParts): string {
  const { directory, rootFile } = parts.pebble;
  return `version: 1
listen: { http: "127.0.0.1:${parts.http}", https: "127.0.0.1:${parts.https}", health: "127.0.0.1:${parts.health}" }
workers: ${parts.workers ?? 2}
acme: { email: ops@example.com, ca: "${directory}", roots: ${rootFile}${parts.acme ?? ''} }
${parts.more ?? ''}
hosts:
${parts.hosts}
`;
}

export interface Handshake {
  readonly error: string | null;
  readonly issuer: string;
  readonly serial: string;
  readonly validTo: number;
  readonly body: string;
}

/** One GET over TLS that trusts the given roots and nothing else. */
export function visit(port: number, name: string, ca: string, path = '/'): Promise<Handshake> {
  return visitAs({}, { port, name, ca, path });
}

export interface Visit {
  readonly port: number;
  readonly name: string;
  readonly ca: string;
  readonly path?: string;
}

/** By a client with TLS settings of its own. */
export function visitAs(client: ConnectionOptions, { port, name, ca, path = '/' }: Visit): Promise<Handshake> {
  return new Promise((resolve) => {
    const socket = connect({
      ...client,
      port,
      host: '127.0.0.1',
      ca,
      ALPNProtocols: ['http/1.1'],
      ...(isIP(name) === 0 && { servername: name }),
    });
    let [issuer, serial, validTo, body] = ['', '', 0, ''];
    const end = (error: string | null): void => resolve({ error, issuer, serial, validTo, body });
    socket.once('secureConnect', () => {
      const certificate = socket.getPeerCertificate();
      issuer = String(certificate.issuer.CN);
      serial = certificate.serialNumber;
      validTo = Date.parse(certificate.valid_to);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    });
    socket.on('data', (chunk: Buffer) => (body += chunk.toString()));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.once('close', () => end(null));
  });
}

/** Waits until the name is served with a certificate that the roots vouch for. */
export async function untilTrusted(port: number, name: string, ca: string, mostMs = 60_000): Promise<Handshake> {
  let last: Handshake | null = null;
  await until(
    async () => {
      last = await visit(port, name, ca);
      return last.error === null;
    },
    `"${name}" is served with a trusted certificate`,
    mostMs,
  );
  return last as unknown as Handshake;
}
