/**
 * Certificates in memory and a transport on 127.0.0.1, for tests of the way from accept to codec.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { createIpSet } from '../src/core/ip-address.ts';
import type { ServeConnection } from '../src/edge/connection.ts';
import { Transport, type TransportOptions, type TransportSettings } from '../src/edge/listener.ts';
import type { Refusal } from '../src/edge/refusal.ts';
import type { CertificateSource } from '../src/edge/tls-servers.ts';
import type { ConnectionFacts } from '../src/wire/exchange.ts';

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Runs the openssl command line once for a self-signed pair, or one that `issuer` signs. */
export function makeCertificate(subject: string, names: string, issuer: KeyPair | null = null): KeyPair {
  const dir = mkdtempSync(join(tmpdir(), 'postern-cert-'));
  try {
    const file = (name: string): string => join(dir, name);
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file('key')];
    const extensions = names === 'CA' ? ['basicConstraints=critical,CA:TRUE'] : [`subjectAltName=${names}`];
    const by: string[] = [];
    if (issuer !== null) {
      writeFileSync(file('ca'), issuer.cert);
      writeFileSync(file('ca-key'), issuer.key);
      by.push('-CA', file('ca'), '-CAkey', file('ca-key'));
    }
    const add = extensions.flatMap((one) => ['-addext', one]);
    execFileSync(
      'openssl',
      ['req', '-x509', ...key, ...by, '-days', '30', '-subj', subject, ...add, '-out', file('cert')],
      {
        stdio: 'ignore',
      },
    );
    return { cert: readFileSync(file('cert'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

export interface RigHost {
  readonly pair: KeyPair;
  readonly clientCa?: { readonly ca: string; readonly mode: 'request' | 'require' };
}

export interface RigOptions {
  readonly tls?: boolean;
  readonly hosts?: Map<string | null, RigHost>;
  readonly settings?: Partial<TransportSettings>;
  readonly proxyPeers?: readonly string[];
  readonly serve?: ServeConnection;
  readonly ticketKeys?: Buffer;
  readonly challengeFor?: (serverName: string | null) => tls.SecureContext | null;
  readonly pace?: TransportOptions['pace'];
  /** Instead of `hosts`. */
  readonly certificates?: CertificateSource;
}

export interface Rig {
  readonly transport: Transport;
  readonly port: number;
  readonly facts: ConnectionFacts[];
  readonly refusals: Refusal[];
  readonly close: () => Promise<void>;
}

/** Answers every connection with a line of facts once it said something. */
export function describeConnection(facts: ConnectionFacts[]): ServeConnection {
  return (socket, of, protocol) => {
    facts.push(of);
    socket.once('data', (chunk) => {
      const name = of.clientCertificate?.commonName ?? '-';
      const from = of.viaProxyProtocol ? `${of.peerAddress}:${of.peerPort}` : 'direct';
      socket.end(`${protocol} ${of.serverName} ${name} ${from} ${chunk.toString('latin1').split('\r\n', 1)[0]}`);
    });
    socket.on('end', () => socket.end());
    return { drain: () => socket.end(), destroy: () => socket.destroy() };
  };
}

export function sourceOf(hosts: Map<string | null, RigHost>): CertificateSource {
  return {
    contextFor: (name) => {
      const host = hosts.get(name);
      if (host === undefined) return null;
      const ca = host.clientCa === undefined ? {} : { ca: host.clientCa.ca };
      return tls.createSecureContext({ ...host.pair, ...ca });
    },
    clientAuthFor: (name) => {
      const auth = hosts.get(name)?.clientCa;
      return auth === undefined ? null : { policyId: `policy-${auth.mode}`, ca: [auth.ca], mode: auth.mode };
    },
  };
}

export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const facts: ConnectionFacts[] = [];
  const refusals: Refusal[] = [];
  const settings: TransportSettings = {
    connections: 1_000,
    connectionsPerAddress: 1_000,
    connectionsPerLoopback: 1_000,
    proxyPeers: createIpSet(options.proxyPeers ?? []),
    handshakeMs: 5_000,
    minVersion: 'TLSv1.2',
    http2: true,
    handshakes: 250,
    ...options.settings,
  };
  const transport = new Transport({
    settings: () => settings,
    certificates: options.certificates ?? sourceOf(options.hosts ?? new Map()),
    ticketKeys: options.ticketKeys ?? randomBytes(48),
    ...(options.challengeFor === undefined ? {} : { challengeFor: options.challengeFor }),
    ...(options.pace === undefined ? {} : { pace: options.pace }),
    serve: options.serve ?? describeConnection(facts),
    onRefused: (refusal) => refusals.push(refusal),
  });
  const listener = await transport.listen({ host: '127.0.0.1', port: 0, tls: options.tls ?? false });
  return { transport, port: listener.port, facts, refusals, close: () => transport.close() };
}

/** Sends pieces, each in a segment of its own, and answers everything received until the end. */
export async function talk(port: number, ...pieces: (Buffer | string)[]): Promise<Buffer> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  const got: Buffer[] = [];
  socket.on('data', (chunk) => got.push(chunk));
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await new Promise((resolve) => socket.once('connect', resolve));
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
  return Buffer.concat(got);
}

export interface TlsTalk {
  readonly text: string;
  readonly error: string | null;
  readonly reused: boolean;
  readonly alpn: string | false | null;
  readonly session: Buffer | undefined;
}

/** One TLS connection that sends a line and reads the answer to its end. */
export async function talkTls(port: number, options: tls.ConnectionOptions): Promise<TlsTalk> {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  let [text, error, reused]: [string, string | null, boolean] = ['', null, false];
  let session: Buffer | undefined;
  let alpn: string | false | null = null;
  socket.on('session', (one) => (session = one));
  socket.on('secureConnect', () => {
    reused = socket.isSessionReused();
    alpn = socket.alpnProtocol;
    socket.write('hello\r\n');
  });
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', (cause: NodeJS.ErrnoException) => (error = cause.code ?? cause.message));
  await new Promise((resolve) => socket.once('close', resolve));
  return { text, error, reused, alpn, session };
}
