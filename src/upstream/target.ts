/**
 * A target is one address that apps are reached at, with everything that belongs to it and survives
 * a reload: its key, its TLS settings and session, its health. Two routes with the same key share it.
 */
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import { PassiveHealth } from './health.ts';
import type { UpstreamServer, UpstreamTls } from '../config/document/actions.ts';

export interface Target {
  readonly key: string;
  /** For logs: "http://127.0.0.1:9001", "unix:/run/app.sock". */
  readonly label: string;
  readonly scheme: UpstreamServer['scheme'];
  /** Name or address without brackets; the path for unix. */
  readonly host: string;
  readonly port: number;
  readonly isAddress: boolean;
  /** As a Host field names it: brackets for IPv6, no default port; "localhost" for unix. */
  readonly authority: string;
  readonly tls: UpstreamTls;
  /** A connection serves one request. */
  readonly servesOnce: boolean;
  /** As of the server; null: links are followed. */
  readonly ownBelow: string | null;
  readonly passive: PassiveHealth;
  /** Requests under way, over all routes. */
  inFlight: number;
  /** Built at the first TLS connection, shared by all. */
  secureContext: SecureContext | null;
  /** Of the last TLS connection, to resume. */
  tlsSession: Buffer | null;
}

export function createTarget(server: UpstreamServer, tls: UpstreamTls): Target {
  const host = server.scheme === 'unix' ? server.host : bare(server.host);
  const port = server.scheme === 'unix' ? 0 : Number(server.port);
  const key = targetKey(server, tls);
  const isAddress = server.scheme !== 'unix' && isIP(host) !== 0;
  const authority = authorityOf(server.scheme, host, port);
  const label = server.scheme === 'unix' ? `unix:${host}` : `${server.scheme}://${joinHost(host, port)}`;
  const passive = new PassiveHealth();
  const { scheme } = server;
  return {
    key,
    label,
    scheme,
    host,
    port,
    isAddress,
    authority,
    tls,
    servesOnce: server.servesOnce === true,
    ownBelow: server.ownBelow ?? null,
    passive,
    inFlight: 0,
    secureContext: null,
    tlsSession: null,
  };
}

/** Whether host and port can be connected to; templates are resolved with values of users. */
export function isUsable(target: Target): boolean {
  if (target.scheme === 'unix') return target.host.startsWith('/') && !target.host.includes('\0');
  const { host, port } = target;
  return Number.isInteger(port) && port > 0 && port < 65_536 && (target.isAddress || /^[\w.-]{1,253}$/.test(host));
}

const tlsKeys = new WeakMap<UpstreamTls, string>();

/** Equal keys share connections, so everything that changes whom we talk to is in it. */
export function targetKey(server: UpstreamServer, tls: UpstreamTls): string {
  const own = server.ownBelow === undefined ? '' : ` below ${server.ownBelow}`;
  const at =
    server.scheme === 'unix' ? `unix:${server.host}${own}` : `${server.scheme}://${server.host}:${server.port}`;
  const place = server.servesOnce === true ? `${at} once` : at;
  if (server.scheme !== 'https') return place;
  let key = tlsKeys.get(tls);
  if (key === undefined) {
    key = JSON.stringify([tls.verify, tls.serverName, tls.caPem, tls.certificatePem, tls.keyPem]);
    tlsKeys.set(tls, key);
  }
  return `${place} ${key}`;
}

function bare(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

function joinHost(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function authorityOf(scheme: UpstreamServer['scheme'], host: string, port: number): string {
  if (scheme === 'unix') return 'localhost';
  const usual = scheme === 'https' ? 443 : 80;
  if (port !== usual) return joinHost(host, port);
  return host.includes(':') ? `[${host}]` : host;
}
