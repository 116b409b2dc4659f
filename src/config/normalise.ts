/**
 * From the document as it is written to the document as the house sees it. The shape has been checked;
 * what was found wrong there is missing here, and Context.isBroken() tells it from what was never written.
 */
import type { Work } from '../core/turns.ts';
import type { Document } from './document.ts';
import type { GlobalTls, Hsts } from './document/tls.ts';
import { readAcme } from './normalise/acme.ts';
import { checkDocument } from './normalise/cross-checks.ts';
import type { Context } from './normalise/context.ts';
import { readDns } from './normalise/dns.ts';
import { readHost, readHosts } from './normalise/hosts.ts';
import { DEFAULT_IDENTITY_HEADERS, readIdentityHeaders } from './normalise/identity-headers.ts';
import { readGlobalLimits, readRouteLimits } from './normalise/limits.ts';
import { readListen, readTrustedProxies } from './normalise/listen.ts';
import { readMaps, readServices, readSession, readSignIn } from './normalise/people.ts';
import { readProviders } from './normalise/providers.ts';
import { DEFAULT_SETTINGS } from './normalise/route.ts';
import { readRules } from './normalise/rules.ts';
import { readTests } from './normalise/tests.ts';
import { hstsFor } from './normalise/hsts.ts';
import { readGlobalTls } from './normalise/tls.ts';
import type { DocumentInput } from './schema.ts';

/** The best reading of what was understood. It may be used only where no error was reported. */
export function* normalise(input: DocumentInput, context: Context): Work<Document> {
  if (input.version !== undefined && input.version !== 1) {
    context.report(['version'], 'is not a version that this Postern reads', 'write "version: 1"');
  }
  context.maps = new Set(Object.keys(input.maps ?? {}));
  const session = readSession(input.session ?? {}, context);
  const providers = readProviders(input.providers, session.insecureHttp, context);
  context.providers = providers;
  const limits = input.limits ?? {};
  const settings = {
    ...DEFAULT_SETTINGS,
    allow: readRules(input.defaults?.allow, ['defaults', 'allow'], context),
    identityHeaders: readIdentityHeaders(input.defaults ?? {}, ['defaults'], DEFAULT_IDENTITY_HEADERS, context),
    limits: readRouteLimits(limits, ['limits'], context),
  };
  const listen = readListen(input.listen, context);
  const { publicHttpsPort } = listen;
  const tls = readGlobalTls(input.tls ?? {}, context);
  const deny = readRules(input.defaults?.deny, ['defaults', 'deny'], context) ?? [];
  const defaults = { settings, deny, hsts: tls.hsts, publicHttpsPort };
  const signIn = readSignIn(input.sign_in, { insecureHttp: session.insecureHttp, providers }, context);
  const document: Document = {
    version: 1,
    listen,
    workers: input.workers === undefined || input.workers === 'auto' ? 0 : input.workers,
    watch: input.watch ?? false,
    log: { level: input.log?.level ?? 'info', format: input.log?.format ?? 'auto' },
    providers,
    signIn,
    session,
    services: readServices(input.services ?? {}, context),
    maps: readMaps(input.maps ?? {}, context),
    trustedProxies: readTrustedProxies(input.trusted_proxies, context),
    limits: readGlobalLimits(limits, context),
    tls: { ...tls, signInHsts: signInHstsOf(tls.hsts, signIn.url, publicHttpsPort) },
    dns: readDns(input.dns, context),
    acme: readAcme(input, listen, context),
    hosts: yield* readHosts(input.hosts ?? {}, defaults, context),
    fallback:
      input.default === undefined ? null : readHost('*', input.default, { path: ['default'], defaults }, context),
    tests: readTests(input.tests ?? [], context),
  };
  yield;
  checkDocument(document, context);
  return document;
}

/** The sign-in host has no entry of its own. */
function signInHstsOf(setting: GlobalTls['hsts'], url: string | null, publicHttpsPort: number): Hsts | null {
  if (url === null || !URL.canParse(url) || !url.startsWith('https:')) return null;
  return hstsFor(setting, { name: new URL(url).hostname, tls: { kind: 'automatic' } }, publicHttpsPort);
}
