/** Checks that need the whole document: where people sign in, and that they never do so in the clear. */
import type { Document } from '../document.ts';
import type { Host } from '../document/hosts.ts';
import type { Context } from './context.ts';
import { needsPerson } from './rules.ts';

export function checkDocument(document: Document, context: Context): void {
  const hosts = document.fallback === null ? document.hosts : [...document.hosts, document.fallback];
  const asking = hosts.filter(asksForPerson);
  checkSignInUrl(document, asking, context);
  checkCookieDomain(document, context);
  if (!document.session.insecureHttp) checkPlainHttp(document, asking, context);
  if (hosts.length === 0 && !context.isBroken(['hosts'])) {
    context.report(['hosts'], 'is missing: there is nothing to serve', 'add a host with "to" and "allow"');
  }
}

function asksForPerson(host: Host): boolean {
  return host.routes.some((route) => route.allow.some(({ rule }) => needsPerson(rule)));
}

function checkSignInUrl(document: Document, asking: readonly Host[], context: Context): void {
  const { url } = document.signIn;
  const first = asking[0];
  if (url === null) {
    if (first === undefined || context.isBroken(['sign_in', 'url']) || isFaulty(context)) return;
    context.report(
      ['sign_in', 'url'],
      `is missing, but "${first.name}" needs people to sign in`,
      `write "sign_in: { url: https://auth.${suggestDomain(first.name)} }", a name of its own beside the apps`,
    );
    return;
  }
  const { hostname, port } = new URL(url);
  const twin = document.hosts.find((host) => host.name === hostname);
  if (twin !== undefined) {
    context.fault(
      twin.at,
      { wrong: 'is the host of "sign_in.url", which serves nothing else', remedy: 'give the app another name' },
      { isAtKey: true },
    );
  }
  const expected = document.listen.publicHttpsPort;
  const typed = port === '' ? 443 : Number(port);
  const isBehindTls = document.listen.https.length === 0;
  if (url.startsWith('https:') && !isBehindTls && expected !== 0 && typed !== expected) {
    context.warn(
      ['sign_in', 'url'],
      `has port ${typed}, but visitors type ${expected}`,
      `write "https://${hostname}${expected === 443 ? '' : `:${expected}`}", or set "listen.public_https_port: ${typed}"`,
    );
  }
}

function isFaulty(context: Context): boolean {
  return context.notes.some((note) => note.path[0] === 'sign_in' && note.path[1] === 'url');
}

/** "example.com" for "code.example.com"; the example's own domain where there is none. */
function suggestDomain(host: string): string {
  const labels = host.replace(/^\*\.?/, '').split('.');
  if (labels.length < 2 || /^[\d.[]/.test(host)) return labels[0] === 'localhost' ? 'localhost' : 'example.com';
  return labels.length === 2 && labels[1] !== 'localhost' ? labels.join('.') : labels.slice(1).join('.');
}

function checkCookieDomain({ session, signIn }: Document, context: Context): void {
  if (session.cookieDomain === null || signIn.url === null) return;
  const host = new URL(signIn.url).hostname;
  if (`.${host}`.endsWith(session.cookieDomain)) return;
  context.report(
    ['session', 'cookie_domain'],
    `does not cover the host of "sign_in.url", "${host}"`,
    'choose a domain that both are below',
  );
}

/**
 * Plain HTTP is fine behind a TLS terminator that tells us so, hence only behind a trusted proxy.
 */
function checkPlainHttp(document: Document, asking: readonly Host[], context: Context): void {
  if (document.trustedProxies.length > 0) return;
  const remedy = 'name the TLS terminator in front under "trusted_proxies", or set "session.insecure_http: true"';
  const listener = document.listen.http.find((one) => !one.tls);
  if (listener !== undefined && asking.length > 0) {
    context.report(listener.at, `serves plain HTTP, but "${asking[0]?.name ?? ''}" needs people to sign in`, remedy);
  }
  for (const host of asking) {
    if (host.tls.kind === 'off')
      context.report([...host.at, 'tls'], 'is off, but the host needs people to sign in', remedy);
  }
}
