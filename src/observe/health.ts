/**
 * The health listener: /healthz, /readyz and /metrics over plain HTTP, on loopback unless told otherwise.
 * Only GET and HEAD, only for a Host that no stranger's DNS can point here (DNS rebinding). Tells nothing
 * about people and takes no orders: orders go to the control socket.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { PosternError } from '../core/errors.ts';
import { createIpSet, normaliseIp } from '../core/ip-address.ts';
import { EXPOSITION_TYPE } from './exposition.ts';

/** Not by an import: that evaluates the lazy parts of node:http, which takes tens of milliseconds at start. */
const { createServer } = process.getBuiltinModule('node:http');

const LOOPBACK = createIpSet(['127.0.0.0/8', '::1']);

export interface HealthServer {
  readonly port: number;
  readonly close: () => Promise<void>;
}

export interface HealthOptions {
  /** null: all addresses. */
  readonly host: string | null;
  readonly port: number;
  /** Names besides "localhost" under which it may be asked, e.g. the container's. */
  readonly names: readonly string[];
  /** Null: requests are served. Else why not. */
  readonly notReady: () => string | null;
  /** What an operator should look at although requests are served. */
  readonly warnings?: () => readonly string[];
  readonly metrics: () => string | Promise<string>;
}

export async function openHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      requestTimeout: 5000,
      headersTimeout: 5000,
      keepAliveTimeout: 5000,
      connectionsCheckingInterval: 1000,
    },
    (req, res) => {
      answer(req, res, options).catch(() => send(res, 500, 'The answer could not be made\n'));
    },
  );
  server.maxConnections = 64;
  await listen(server, options);
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : options.port;
  return {
    port,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program has it; set listen.health to a free port',
  EACCES: 'this user may not listen there; set listen.health to a port from 1024',
  EADDRNOTAVAIL:
    'this machine does not have that address; set listen.health to one of its own, such as "127.0.0.1:7070"',
  EAFNOSUPPORT: 'this machine has no IPv6; set listen.health to an IPv4 address, such as "127.0.0.1:7070"',
};

async function listen(server: Server, { host, port }: HealthOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const where = `${host ?? '*'}:${port}`;
      const remedy = (error.code !== undefined && REMEDIES[error.code]) || error.message;
      reject(
        new PosternError(
          'LISTEN_FAILED',
          `Cannot listen for health checks on "${where}": ${remedy}`,
          { address: where },
          error,
        ),
      );
    };
    server.once('error', fail);
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

async function answer(req: IncomingMessage, res: ServerResponse, options: HealthOptions): Promise<void> {
  if (!isAllowedHost(req, options))
    return send(res, 403, 'This Host is not answered here: ask by IP address or "localhost"\n');
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.setHeader('Allow', 'GET, HEAD');
    return send(res, 405, 'Only GET and HEAD\n');
  }
  switch ((req.url ?? '').split('?', 1)[0]) {
    case '/healthz':
      return send(res, 200, 'ok\n');
    case '/readyz': {
      const why = options.notReady();
      if (why !== null) return send(res, 503, `not ready: ${why}\n`);
      const warnings = options.warnings?.() ?? [];
      return send(res, 200, ['ready', ...warnings.map((one) => `warning: ${one}`), ''].join('\n'));
    }
    case '/metrics':
      return send(res, 200, await options.metrics(), EXPOSITION_TYPE);
    default:
      return send(res, 404, 'Here are /healthz, /readyz and /metrics\n');
  }
}

/** An address cannot be rebound; off loopback any address will do, since containers are asked by theirs. */
function isAllowedHost(req: IncomingMessage, { names }: HealthOptions): boolean {
  const { host } = req.headers;
  if (host === undefined) return false;
  const name = hostOf(host);
  if (name === null) return false;
  if (name === 'localhost' || names.includes(name)) return true;
  const ip = isIP(name) === 0 ? null : normaliseIp(name);
  if (ip === null) return false;
  const local = normaliseIp(req.socket.localAddress ?? '');
  return LOOPBACK.contains(ip) || !LOOPBACK.contains(local);
}

/** "name:port", "[v6]:port" -> lower-case name without port; null where it is neither. */
function hostOf(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,253}))(?::\d{1,5})?$/i.exec(host);
  return match === null ? null : (match[1] ?? match[2] ?? '').toLowerCase();
}

function send(res: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  res.end(body);
}
