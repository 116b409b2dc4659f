/**
 * Whose word about the visitor counts. Only a trusted proxy may say which address, host and path a request
 * is about; without a list these are loopback and private peers, where oauth2-proxy believes the whole world
 * (CVE-2026-40575, CVE-2023-36456). Whoever reaches a unix socket was let in by its folder.
 */
import { createIpSet, normaliseIp } from '../../core/ip-address.ts';
import { parseForwardedAddress } from '../../wire/client-address.ts';
import type { ConnectionFacts } from '../../wire/exchange.ts';
import type { HeaderBlock } from '../../wire/header-block.ts';
import type { TrustSettings } from '../settings.ts';

/** Loopback, RFC 1918, and unique local addresses (RFC 4193): nobody on the internet has one of them. */
const USUAL_PROXIES: readonly string[] = [
  '127.0.0.0/8',
  '::1',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
];

export interface Peer {
  /** Null: unknown, or a unix socket. */
  readonly ip: string | null;
  readonly isTrusted: boolean;
}

export interface FrontTrust {
  readonly peerOf: (connection: ConnectionFacts, isLocalSocket: boolean) => Peer;
  /** Null: unknown, and then in no list. */
  readonly clientIpOf: (peer: Peer, headers: HeaderBlock) => string | null;
}

export function createFrontTrust(settings: TrustSettings): FrontTrust {
  const proxies = createIpSet(settings.proxies ?? USUAL_PROXIES);
  const { reverseProxy, realIpHeader } = settings;
  // Without a list nobody but the peer itself vouches for anything: a private address may be a visitor as well.
  const isChainLink = settings.proxies === null ? (): boolean => false : proxies.contains;
  /** A connection's peer does not change; its requests share what is known of it. */
  const peers = new WeakMap<ConnectionFacts, Peer>();

  function look(connection: ConnectionFacts, isLocalSocket: boolean): Peer {
    const { peerAddress } = connection;
    const ip = peerAddress === null ? null : normaliseIp(peerAddress);
    const peer = { ip, isTrusted: reverseProxy && (isLocalSocket || proxies.contains(ip)) };
    peers.set(connection, peer);
    return peer;
  }

  return {
    peerOf: (connection, isLocalSocket) => peers.get(connection) ?? look(connection, isLocalSocket),
    clientIpOf(peer, headers) {
      if (!peer.isTrusted) return peer.ip;
      if (realIpHeader === 'x-forwarded-for') return lastStranger(headers.getAll(realIpHeader), isChainLink);
      return headers.count(realIpHeader) === 1 ? parseForwardedAddress((headers.get(realIpHeader) ?? '').trim()) : null;
    },
  };
}

/** From the right, where our own proxy wrote: the first address that is no proxy of ours; null where one is none. */
function lastStranger(lines: readonly string[], isChainLink: (ip: string | null) => boolean): string | null {
  let client: string | null = null;
  for (const item of lines.join(',').split(',').toReversed()) {
    client = parseForwardedAddress(item.trim());
    if (client === null || !isChainLink(client)) return client;
  }
  return client;
}
