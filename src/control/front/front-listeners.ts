/** Opens what the settings listen on: people and front proxies, and the metrics. */
import { PosternError } from '../../core/errors.ts';
import { openCertificateFiles } from './certificate-files.ts';
import { openSslNames } from './cipher-names.ts';
import { createMetricsServe } from './front-metrics.ts';
import { createFrontTransport } from './front-transport.ts';
import { parseFrontAddress } from './listen-on.ts';
import type { Logger } from '../../core/log.ts';
import type { ServeExchange } from '../../forward-auth/serving/serve.ts';
import type { Settings } from '../../forward-auth/settings.ts';
import type { Family } from '../../observe/exposition.ts';
import type { Ticker } from '../../wire/ticker.ts';
import type { CertificatePair } from './certificate-files.ts';
import type { FrontTransport } from './front-transport.ts';

export interface OpenListenersOptions {
  readonly settings: Pick<Settings, 'server' | 'metrics'>;
  readonly serve: ServeExchange;
  readonly families: () => readonly Family[];
  readonly ticker: Ticker;
  readonly log: Logger;
  readonly onDefect: (error: unknown) => void;
}

export type ListenerName = 'http' | 'https' | 'metrics' | 'metricsHttps';

export interface OpenFront {
  /** Null: there is no such listener. 0 for a unix socket. */
  readonly ports: Readonly<Record<ListenerName, number | null>>;
  readonly drain: (deadlineMs: number) => Promise<void>;
}

interface Wanted {
  readonly text: string | null;
  readonly option: string;
  readonly tls: boolean;
}

/** Rejects with LISTEN_FAILED, CONFIG_INVALID or TLS_BAD_CERTIFICATE, and nothing is open then. */
export async function openListeners(options: OpenListenersOptions): Promise<OpenFront> {
  const { server, metrics } = options.settings;
  const closers: (() => unknown)[] = [];
  const transports: FrontTransport[] = [];
  const ciphers = openSslNames(server.tls?.ciphers ?? [], (suite) =>
    options.log.warn({ suite }, 'Cipher suite is weak, and left out: it has no forward secrecy or no AEAD'),
  );
  const transportFor = (files: CertificatePair | null, serve: ServeExchange): FrontTransport => {
    const minVersion = server.tls?.minVersion ?? 'TLSv1.2';
    const opened = files === null ? null : openCertificateFiles({ ...files, minVersion, ciphers, log: options.log });
    closers.push(() => opened?.close());
    const transport = createFrontTransport({
      ...options,
      serve,
      certificates: opened?.source ?? null,
      minVersion,
      ciphers,
    });
    transports.push(transport);
    return transport;
  };
  try {
    const main = transportFor(server.tls, options.serve);
    const http = await listen(main, { text: server.http, option: 'http-address', tls: false });
    const https = await listen(main, { text: tlsAddress(options.settings), option: 'https-address', tls: true });
    const own = transportFor(pairOf(metrics), createMetricsServe(options.families));
    const plain = await listen(own, { text: metrics.http, option: 'metrics-address', tls: false });
    const secure = await listen(own, { text: metrics.https, option: 'metrics-secure-address', tls: true });
    return {
      ports: { http, https, metrics: plain, metricsHttps: secure },
      async drain(deadlineMs) {
        await main.drain(deadlineMs);
        await own.close();
        for (const close of closers) close();
      },
    };
  } catch (error) {
    for (const transport of transports) await transport.close();
    for (const close of closers) close();
    throw error;
  }
}

function pairOf({ certificateFile, keyFile, https, tls }: Settings['metrics']): CertificatePair | null {
  if (https === null) return null;
  if (tls === null || tls === undefined) {
    const remedy = 'set metrics-tls-cert-file and metrics-tls-key-file';
    throw new PosternError('CONFIG_INVALID', `Cannot serve metrics over TLS: there is no certificate; ${remedy}`);
  }
  return { certificateFile: certificateFile ?? '', keyFile: keyFile ?? '', ...tls };
}

/** Without a certificate there is nothing to serve over TLS. */
function tlsAddress({ server }: Pick<Settings, 'server'>): string | null {
  return server.tls === null ? null : server.https;
}

async function listen(transport: FrontTransport, { text, option, tls }: Wanted): Promise<number | null> {
  const address = parseFrontAddress(text, option);
  return address === null ? null : (await transport.listen(address, tls)).port;
}
