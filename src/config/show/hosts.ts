/** Prints a host: its certificate, and its routes by path. */
import { shownHostAcme } from './acme.ts';
import { shownRoute } from './route.ts';
import { shownHsts, shownRules, type Shown } from './words.ts';
import type { Document } from '../document.ts';
import type { AcmePolicy } from '../document/acme.ts';
import type { Host } from '../document/hosts.ts';
import type { HostTls } from '../document/tls.ts';

export function shownHost(host: Host, acme: Document['acme']): Shown {
  const paths: Record<string, Shown[]> = {};
  for (const route of host.routes) (paths[route.path] ??= []).push(shownRoute(route));
  return {
    tls: shownTls(host, acme?.hosts[host.name]),
    hsts: host.tls.kind === 'off' ? undefined : shownHsts(host.hsts),
    deny: host.deny.length === 0 ? undefined : shownRules(host.deny),
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, routes]) => [path, routes.length === 1 ? (routes[0] as Shown) : routes]),
    ),
  };
}

function shownTls({ tls, clientAuth }: Host, own: AcmePolicy | undefined): Shown {
  if (clientAuth === null && tls.kind !== 'files' && own === undefined) return tls.kind;
  return {
    ...(own === undefined ? shownFiles(tls) : { acme: shownHostAcme(own) as Shown }),
    client_ca: clientAuth?.caFile,
    client_certificates: clientAuth?.mode,
  };
}

function shownFiles(tls: HostTls): Readonly<Record<string, string>> {
  return tls.kind === 'files' ? { certificate: tls.files.certificate, key: tls.files.key } : { mode: tls.kind };
}
