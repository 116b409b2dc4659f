/**
 * Prints the document as it is in effect: defaults written out, presets expanded, in the language of
 * the document. Password hashes and whatever came from a variable are masked.
 */
import { stringify } from 'yaml';
import { formatDuration } from '../core/durations.ts';
import { formatSize } from '../core/sizes.ts';
import { shownAcme } from './show/acme.ts';
import { shownDns } from './show/dns.ts';
import { shownHost } from './show/hosts.ts';
import { shownListen } from './show/listen.ts';
import { mask } from './show/mask.ts';
import { shownProvider, shownSignIn } from './show/providers.ts';
import { shownCount, shownHsts, type Shown } from './show/words.ts';
import type { Document } from './document.ts';
import type { DeployTo } from './document/tls.ts';
import type { Secret } from './load.ts';

export function showDocument(document: Document, secrets: readonly Secret[]): string {
  return stringify(mask(shownDocument(document), secrets), { lineWidth: 0, aliasDuplicateObjects: false });
}

function shownDocument(document: Document): Shown {
  const { limits, session, tls } = document;
  return {
    version: 1,
    listen: shownListen(document.listen),
    workers: document.workers === 0 ? 'auto' : document.workers,
    watch: document.watch,
    log: { ...document.log },
    providers: Object.fromEntries(document.providers.map((provider) => [provider.id, shownProvider(provider)])),
    sign_in: shownSignIn(document.signIn),
    session: {
      lifetime: formatDuration(session.lifetimeMs),
      idle: formatDuration(session.idleMs),
      stale_for: formatDuration(session.staleForMs),
      per_person: session.mostPerPerson,
      insecure_http: session.insecureHttp,
      cookie_domain: session.cookieDomain ?? undefined,
    },
    services: Object.fromEntries(
      document.services.map(({ name, passwordHashes }) => [name, { password: passwordHashes.map(maskHash) }]),
    ),
    maps: document.maps,
    trusted_proxies: document.trustedProxies,
    limits: {
      header_bytes: formatSize(limits.headerBytes),
      header_count: limits.headerCount,
      target_bytes: formatSize(limits.targetBytes),
      head_timeout: formatDuration(limits.headTimeoutMs),
      keep_alive: formatDuration(limits.keepAliveMs),
      // Loopback is exempt only while the number is the default one, so that one is not written out.
      connections_per_address:
        limits.connectionsPerAddress === limits.connectionsPerLoopback
          ? shownCount(limits.connectionsPerAddress)
          : undefined,
      connections: shownCount(limits.connections),
      http2_streams: limits.http2Streams,
      handshake_timeout: formatDuration(limits.tlsHandshakeMs),
      drain: formatDuration(limits.drainMs),
    },
    tls: {
      min_version: tls.minVersion === 'TLSv1.3' ? '1.3' : '1.2',
      certificates: tls.certificates.map(({ certificate, key }) => ({ certificate, key })),
      hsts: shownHsts(tls.hsts),
      deploy_to: tls.deployTo.map(shownDeployTo),
    },
    dns: shownDns(document.dns),
    acme: document.acme === null ? undefined : (shownAcme(document.acme) as Shown),
    hosts: Object.fromEntries(document.hosts.map((host) => [host.name, shownHost(host, document.acme)])),
    default: document.fallback === null ? undefined : shownHost(document.fallback, document.acme),
    tests: document.tests.map(({ as, groups, roles, ip, method, url, expect }) => ({
      as,
      groups,
      roles: roles.length === 0 ? undefined : roles,
      ip: ip ?? undefined,
      method,
      url,
      expect,
    })),
  };
}

function maskHash(hash: string): string {
  return hash.startsWith('$argon2id$') ? '(argon2id hash)' : '(bcrypt hash)';
}

function shownDeployTo({ name, certificate, key, keyType, mode, run, timeoutMs }: DeployTo): Shown {
  const timeout = formatDuration(timeoutMs);
  const which = keyType ?? undefined;
  return { name, certificate, key: key ?? undefined, key_type: which, mode: mode.toString(8), run, timeout };
}
