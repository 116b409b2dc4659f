/**
 * What a worker serves with at this moment: the compiled document and what is derived from it. Immutable;
 * a reload makes another one and swaps the reference.
 */
import { createIpSet } from '../core/ip-address.ts';
import type { IpSet } from '../core/ip-address.ts';
import type { Document } from '../config/document.ts';
import type { RoutingTable } from '../route/table.ts';

export interface Site {
  readonly revision: string;
  readonly document: Document;
  readonly table: RoutingTable;
  readonly trustedProxies: IpSet;
  /** The sign-in host; null where the document needs none. */
  readonly signInHost: string | null;
  /** "" or ":8443": what visitors type behind an HTTPS host. */
  readonly httpsPortSuffix: string;
}

export function createSite(revision: string, document: Document, table: RoutingTable): Site {
  const { publicHttpsPort } = document.listen;
  return {
    revision,
    document,
    table,
    trustedProxies: createIpSet(document.trustedProxies),
    signInHost: signInHostOf(document),
    httpsPortSuffix: publicHttpsPort === 443 ? '' : `:${publicHttpsPort}`,
  };
}

export function signInHostOf(document: Document): string | null {
  const { url } = document.signIn;
  return url === null ? null : new URL(url).hostname.toLowerCase();
}
