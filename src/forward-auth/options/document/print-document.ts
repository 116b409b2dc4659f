/**
 * The settings as a document of the gateway, for those who want to move on from a proxy in front. It passes
 * `postern check`; what has no equal stands in it as comments, and no secret does.
 */
import { documentProvider } from './provider.ts';
import { documentRules } from './rules.ts';
import { appRoutes, printRoutes, publicRoutes } from './paths.ts';
import { comment, createNotes, list, scalar } from './text.ts';
import { formatDuration } from '../../../core/durations.ts';
import type { Settings } from '../../settings.ts';
import type { GivenOptions } from '../given.ts';
import type { Notes } from './text.ts';

const TWELVE_HOURS_MS = 43_200_000;

/** `program`: whose settings they are. */
export function printDocument(settings: Settings, given: GivenOptions, program = 'postern forward-auth'): string {
  const notes = createNotes();
  const rules = documentRules(settings, notes);
  const provider = documentProvider(settings, { rules, given, notes });
  const places = placesOf(settings, notes);
  const allow = provider.isLocal ? ['signed-in'] : rules.allow;
  const routes = [...publicRoutes(settings, notes), ...appRoutes(settings, notes)];
  const isPlain = places.signInUrl.startsWith('http:');
  const session = sessionLines(settings, isPlain, notes);
  noteSettings(settings, notes);
  const body = [
    'version: 1',
    ...listenLines(settings, notes),
    'providers:',
    ...provider.lines,
    signInLine(places, provider.isLocal),
    ...session,
    'hosts:',
    `  ${scalar(places.host)}:`,
    `    allow:`,
    ...allow.map((rule) => `      - ${rule}`),
    ...identityLines(settings),
    '    paths:',
    ...printRoutes(routes, '      '),
  ];
  const head = [
    comment(`What "${program}" does with these settings, as a document for "postern run --config FILE":`),
    comment('the gateway ends TLS, signs people in and passes requests on, with no proxy in front.'),
    ...(notes.lines.length === 0 ? [] : ['#', comment('What has no equal, or needs a look:')]),
    ...notes.lines,
  ];
  return `${[...head, ...body].join('\n')}\n`;
}

function signInLine({ signInUrl }: Places, isLocal: boolean): string {
  const line = `sign_in: { url: ${scalar(signInUrl)} }`;
  return isLocal ? line : `${line}   ${comment(`register ${signInUrl}/.postern/callback/main at the provider`)}`;
}

interface Places {
  /** Of the application. */
  readonly host: string;
  /** A host that serves Postern's own pages alone. */
  readonly signInUrl: string;
}

const OWN_NAMES = /^(?:auth|oauth2?|oauth2-proxy|login|sso|signin|sign-in)\./;

function placesOf({ redirects, cookie }: Settings, notes: Notes): Places {
  const url =
    redirects.callbackUrl !== null && URL.canParse(redirects.callbackUrl) ? new URL(redirects.callbackUrl) : null;
  const listed = redirects.whitelist
    .map((entry) => entry.replace(/:(?:\d+|\*)$/, ''))
    .find((entry) => /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(entry));
  const isOwn = url !== null && OWN_NAMES.test(url.hostname);
  const host = (url === null || isOwn ? listed : url.hostname) ?? `app.${parentOf(url?.hostname, cookie.domains)}`;
  if (listed === undefined && (url === null || isOwn))
    notes.add('redirect_url', `does not say the application's host: write it in place of "${host}"`);
  for (const entry of redirects.whitelist)
    if (!entry.startsWith(host))
      notes.add('whitelist_domains', `"${entry}": each host of yours is an entry of "hosts"`);
  const signInHost = isOwn ? url.hostname : `auth.${parentOf(host, cookie.domains)}`;
  return { host, signInUrl: `https://${signInHost}` };
}

/** The domain that hosts share. */
function parentOf(host: string | undefined, cookieDomains: readonly string[]): string {
  const [domain] = cookieDomains;
  if (domain !== undefined) return domain.replace(/^\./, '');
  const labels = (host ?? '').split('.');
  const isName = labels.length > 2 && !/^[\d.]+$/.test(host ?? '');
  return isName ? labels.slice(1).join('.') : 'example.com';
}

function listenLines({ server, trust }: Settings, notes: Notes): readonly string[] {
  const { http, https, tls } = server;
  const isAddress = (text: string | null): text is string => text !== null && !/^(?:unix|fd):/.test(text);
  const isElsewhere = http !== null && !isAddress(http);
  if (isElsewhere) notes.add('http_address', `"${String(http)}" has no equal: the gateway listens on addresses`);
  const lines: string[] = [];
  if (tls === null && !trust.reverseProxy)
    notes.add(
      'tls_cert_file',
      'there is no certificate: add "acme: { email: you@example.com }" for those of Let\'s Encrypt',
    );
  if (tls !== null && tls.certificateFile !== '') {
    lines.push(`listen: { http: ":80", https: ${scalar(isAddress(https) ? https : ':443')} }`);
    lines.push(`tls: { certificates: [{ certificate: ${scalar(tls.certificateFile)}, key: ${scalar(tls.keyFile)} }] }`);
  } else if (trust.reverseProxy && isAddress(http)) {
    const why = 'behind a proxy that ends TLS; without one take this line out, and see "acme"';
    lines.push(`listen: { http: { address: ${scalar(http)}, tls: off }, https: off }   ${comment(why)}`);
    lines.push(`trusted_proxies: ${list(trust.proxies ?? ['127.0.0.0/8', '::1/128'])}`);
  }
  return lines;
}

function sessionLines({ cookie, store }: Settings, isPlain: boolean, notes: Notes): readonly string[] {
  const lifetime = cookie.expireMs === 0 ? TWELVE_HOURS_MS : cookie.expireMs;
  const [domain, other] = cookie.domains;
  if (other !== undefined)
    notes.add(
      'cookie_domains',
      `"${other}": hosts of other domains are reached by a hand-off, without a shared cookie`,
    );
  if (store.kind !== 'server') notes.add('session_store_type', 'the gateway keeps sessions in its data folder');
  const shared =
    domain === undefined ? '' : `, cookie_domain: ${scalar(domain.startsWith('.') ? domain : `.${domain}`)}`;
  const text = formatDuration(lifetime);
  return [`session: { lifetime: ${text}, idle: ${text}${shared}${isPlain ? ', insecure_http: true' : ''} }`];
}

/** What nginx and others copied from the answer, or what an upstream was sent. */
function identityLines({ responseHeaders, upstreams }: Settings): readonly string[] {
  const isCopied = responseHeaders.some(({ name }) => name.toLowerCase() === 'x-auth-request-user');
  const isProxy = upstreams.some(({ target }) => target.kind !== 'static');
  return isCopied && !isProxy ? ['    identity_headers: auth-request'] : [];
}

function noteSettings(settings: Settings, notes: Notes): void {
  const { requestHeaders, responseHeaders, skip, htpasswd, pages, metrics } = settings;
  for (const { name, values } of [...requestHeaders, ...responseHeaders])
    for (const value of values) {
      const claim = value.kind === 'claim' ? value.claim : '';
      if (claim === 'access_token' || claim === 'id_token')
        notes.add(name, `on the host that needs it: "identity_headers: [forwarded, { ${claim}: ${name} }]"`);
      else if (claim === 'refresh_token') notes.add(name, 'refresh tokens are passed on to nobody');
      else if (value.kind === 'fixed' || value.basicPassword !== null)
        notes.add(name, 'a fixed value is "add_headers" of a host');
    }
  if (htpasswd !== null)
    notes.add(
      'htpasswd_file',
      'people: "postern user add NAME" with a provider of type local; machines: "services" with their bcrypt hashes',
    );
  if (skip.preflight)
    notes.add('skip_auth_preflight', 'write the paths with "methods: [OPTIONS]" and "allow: [public]"');
  if (skip.apiRoutes.length > 0 || skip.forceJsonErrors)
    notes.add('api_routes', 'programs get 401 and JSON by themselves: by Accept, Sec-Fetch-Mode and method');
  if (pages.templatesFolder !== null)
    notes.add('custom_templates_dir', 'pages take a name, a logo and a colour: see "sign_in"');
  if (pages.logo !== null && pages.logo !== '-') notes.add('custom_sign_in_logo', `"sign_in.logo: ${pages.logo}"`);
  if (metrics.http !== null || metrics.https !== null) notes.add('metrics_address', 'metrics are at "listen.health"');
}
