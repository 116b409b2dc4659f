/** What `postern check --live` asks about certificates, asked for real: the system's resolvers and the CA itself. */
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../core/clock.ts';
import { AcmeClient } from '../certs/acme/client.ts';
import { createHttps } from '../certs/acme/https.ts';
import type { IssuanceEvent } from '../core/issuance-store.ts';
import type { AcmeCa } from '../certs/issuance/wanted.ts';
import type { Document } from '../config/document.ts';
import type { CaaRecord, CertificateProbe } from './probe-certificates.ts';

const DNS_TIMEOUT_MS = 5_000;
const CA_TIMEOUT_MS = 15_000;
const CONNECT_MS = 3_000;
/** The name is there without such records, or is not there: both are answers. */
const NONE = new Set(['ENODATA', 'ENOTFOUND']);

export function systemCertificateProbe(
  { listen }: Document,
  version: string,
  issued: readonly IssuanceEvent[],
): CertificateProbe {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: 2 });
  return {
    dns: {
      async addresses(name) {
        const both = await Promise.all([orNone(resolver.resolve4(name)), orNone(resolver.resolve6(name))]);
        return both.flat();
      },
      caa: async (name) => (await orNone(resolver.resolveCaa(name))).flatMap(recordsOf),
    },
    connect: knock,
    caaIdentities: (ca) => askCa(ca, version),
    issued,
    own: Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address)),
    ports: [...listen.http, ...listen.https].map(({ port }) => port),
  };
}

function knock(host: string, port: number): Promise<'open' | 'closed' | 'silent'> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const end = (answer: 'open' | 'closed' | 'silent'): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end('open'));
    socket.once('timeout', () => end('silent'));
    // No route, or an address family that this machine has not: the same as silence.
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED' ? 'closed' : 'silent'));
  });
}

async function orNone<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Error && 'code' in error && NONE.has(String(error.code))) return [];
    throw error;
  }
}

/** Node gives a record as a map with one tag beside `critical`. */
function recordsOf(record: object): CaaRecord[] {
  return Object.entries(record).flatMap(([tag, value]) => (typeof value === 'string' ? [{ tag, value }] : []));
}

async function askCa(ca: AcmeCa, version: string): Promise<readonly string[]> {
  const https = createHttps({ roots: ca.rootsPem, userAgent: `Postern/${version}` });
  const client = new AcmeClient({
    directoryUrl: ca.directory,
    name: ca.name,
    https,
    clock: systemClock,
    sleep: (ms, signal) => sleep(ms, undefined, { signal }),
  });
  try {
    const directory = await client.directory(AbortSignal.timeout(CA_TIMEOUT_MS));
    return (directory.meta?.caaIdentities ?? []).map((name) => name.toLowerCase());
  } finally {
    https.close();
  }
}
