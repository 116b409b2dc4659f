/**
 * Who the client is when proxies stand between: the peer (or what PROXY said of it), and where that is
 * a trusted proxy, X-Forwarded-For from the right up to the first address that is not. A trusted proxy
 * that names no valid address makes it unknown, never the proxy's own. Everybody else's X-Forwarded-*
 * is not looked at. RFC 7239 section 8.1 says why.
 */
import { createIpSet, normaliseIp } from '../core/ip-address.ts';
import type { ConnectionFacts } from './exchange.ts';
import type { HeaderBlock } from './header-block.ts';

export interface ClientFacts {
  /** In the one spelling of core/ip-address.ts; null: unknown. */
  readonly ip: string | null;
  /** What the client speaks, as far as a trusted proxy says so; else what came to us. */
  readonly scheme: 'http' | 'https';
  /** X-Forwarded-Host of a trusted proxy, "host" or "host:port", lower-case; null without one. */
  readonly forwardedHost: string | null;
  /** True where the peer is a trusted proxy. */
  readonly isProxied: boolean;
}

export type FindClient = (connection: ConnectionFacts, headers: HeaderBlock) => ClientFacts;

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
const PORT = /^:\d{1,5}$/;

/** `trusted`: CIDRs of trusted_proxies. */
export function createFindClient(trusted: readonly string[]): FindClient {
  const proxies = createIpSet(trusted);
  /** A connection's peer does not change; its requests share what is known of it. */
  const peers = new WeakMap<ConnectionFacts, ClientFacts>();

  function ofPeer(connection: ConnectionFacts): ClientFacts {
    const { peerAddress, scheme } = connection;
    const ip = peerAddress === null ? null : normaliseIp(peerAddress);
    const facts = { ip, scheme, forwardedHost: null, isProxied: proxies.contains(ip) };
    peers.set(connection, facts);
    return facts;
  }

  return (connection, headers) => {
    const peer = peers.get(connection) ?? ofPeer(connection);
    if (!peer.isProxied) return peer;
    return {
      ip: clientOf(headers.getAll('x-forwarded-for'), proxies.contains),
      scheme: schemeOf(headers) ?? peer.scheme,
      forwardedHost: hostOf(headers),
      isProxied: true,
    };
  };
}

/** Walks from the right: each proxy we trust vouches for the one entry that it added. */
function clientOf(lines: readonly string[], isTrusted: (ip: string) => boolean): string | null {
  let client: string | null = null;
  for (let line = lines.length - 1; line >= 0; line--) {
    const items = (lines[line] as string).split(',');
    for (let i = items.length - 1; i >= 0; i--) {
      client = parseForwardedAddress((items[i] as string).trim());
      if (client === null || !isTrusted(client)) return client;
    }
  }
  // Every hop is trusted: the left-most one began it.
  return client;
}

/** "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"; null for all else. */
export function parseForwardedAddress(text: string): string | null {
  if (text.length > 64) return null;
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    const rest = text.slice(end + 1);
    const inside = text.slice(1, end);
    return end !== -1 && inside.includes(':') && (rest === '' || PORT.test(rest)) ? normaliseIp(inside) : null;
  }
  const colon = text.indexOf(':');
  const hasPort = colon !== -1 && colon === text.lastIndexOf(':');
  if (!hasPort) return normaliseIp(text);
  return PORT.test(text.slice(colon)) ? normaliseIp(text.slice(0, colon)) : null;
}

/** The right-most value: the one that our own proxy wrote. */
function lastOf(headers: HeaderBlock, key: string): string | null {
  const line = headers.getAll(key).at(-1);
  return line === undefined
    ? null
    : line
        .slice(line.lastIndexOf(',') + 1)
        .trim()
        .toLowerCase();
}

function schemeOf(headers: HeaderBlock): 'http' | 'https' | null {
  const scheme = lastOf(headers, 'x-forwarded-proto');
  return scheme === 'http' || scheme === 'https' ? scheme : null;
}

function hostOf(headers: HeaderBlock): string | null {
  const host = lastOf(headers, 'x-forwarded-host');
  return host !== null && HOST.test(host) ? host : null;
}
