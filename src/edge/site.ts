/**
 * What a worker serves with at this moment: the compiled document and what is derived from it. Immutable;
 * a reload makes another one and swaps the reference.
 */
import { createIpSet } from '../core/ip-address.ts';
import type { IpSet } from '../core/ip-address.ts';
import { printHsts } from '../route/hsts.ts';
import { isAuthorization } from './passed-tokens.ts';
import { createStripList } from '../upstream/header-verdict.ts';
import type { StripList } from '../upstream/header-verdict.ts';
import type { Document } from '../config/document.ts';
import type { IdentityHeaders } from '../config/document/identity-headers.ts';
import type { RoutingTable } from '../route/table.ts';

export interface Site {
  readonly revision: string;
  readonly document: Document;
  readonly table: RoutingTable;
  readonly trustedProxies: IpSet;
  /** The sign-in host; null where the document needs none. */
  readonly signInHost: string | null;
  /** Value of Strict-Transport-Security of the sign-in host; null: none. */
  readonly signInHsts: string | null;
  /** "" or ":8443": what visitors type behind an HTTPS host. */
  readonly httpsPortSuffix: string;
  /** Ports that are ours by scheme, as far as the document says: what a client names besides may be anybody's. */
  readonly ownPorts: Readonly<Record<'http' | 'https', ReadonlySet<number>>>;
  /** "" or ":8080": what visitors type behind a host of plain HTTP, where that may be signed in to. */
  readonly httpPortSuffix: string;
  /** Names under which some route tells its app who comes. */
  readonly strip: StripList | null;
  /** Some provider's access tokens count as credentials. */
  readonly takesBearers: boolean;
}

export function createSite(
  revision: string,
  document: Document,
  compiled: { readonly table: RoutingTable; readonly identityHeaders: Iterable<IdentityHeaders> },
): Site {
  const { table, identityHeaders } = compiled;
  const { publicHttpsPort } = document.listen;
  return {
    revision,
    document,
    table,
    trustedProxies: createIpSet(document.trustedProxies),
    signInHost: signInHostOf(document),
    signInHsts: printHsts(document.tls.signInHsts),
    httpsPortSuffix: publicHttpsPort === 443 ? '' : `:${publicHttpsPort}`,
    ownPorts: ownPortsOf(document),
    httpPortSuffix: plainSuffixOf(document),
    strip: createStripList(identityNames(identityHeaders)),
    takesBearers: document.providers.some((one) => one.type === 'oidc' && one.bearer !== null),
  };
}

/** `sign_in.url` is the operator's word too: a router in between may map its port. */
function ownPortsOf(document: Document): Site['ownPorts'] {
  const { http, https, publicHttpsPort } = document.listen;
  const typed = signInPortOf(document);
  return {
    http: new Set([80, ...http.map(({ port }) => port), ...(typed.scheme === 'http:' ? [typed.port] : [])]),
    https: new Set([
      publicHttpsPort,
      ...https.map(({ port }) => port),
      ...(typed.scheme === 'https:' ? [typed.port] : []),
    ]),
  };
}

function plainSuffixOf(document: Document): string {
  const { scheme, port } = signInPortOf(document);
  return scheme === 'http:' && port !== 80 ? `:${port}` : '';
}

function signInPortOf({ signIn }: Document): { readonly scheme: string; readonly port: number } {
  if (signIn.url === null || !URL.canParse(signIn.url)) return { scheme: '', port: 0 };
  const { protocol: scheme, port } = new URL(signIn.url);
  const standard = scheme === 'https:' ? 443 : 80;
  return { scheme, port: port === '' ? standard : Number(port) };
}

function* identityNames(all: Iterable<IdentityHeaders>): Generator<string> {
  for (const { fields, tokens } of all) {
    for (const { name } of fields) yield name;
    // Authorization is of the app's own on every other route.
    for (const { name } of tokens) if (!isAuthorization(name)) yield name;
  }
}

export function signInHostOf(document: Document): string | null {
  const { url } = document.signIn;
  return url === null ? null : new URL(url).hostname.toLowerCase();
}
